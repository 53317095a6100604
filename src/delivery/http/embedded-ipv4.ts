import { isIPv4 } from "node:net";
import { dottedQuad, expandIpv6 } from "../../domain/ip-address.ts";

/**
 * IPv6 addresses that end in an IPv4 address, all groups written out: compatible and mapped (RFC 4291 section 2.5.5),
 * translated (RFC 2765 section 2.1), NAT64 (RFC 6052 section 2.1), ISATAP (RFC 5214 section 6.1).
 */
const ENDS_IN_IPV4 =
  /^(?:0:0:0:0:0:(?:0|ffff)|0:0:0:0:ffff:0|64:ff9b:0:0:0:0|(?:[\da-f]+:){4}(?:0|200):5efe):([\da-f]+):([\da-f]+)$/;

/** 6to4 has it after the prefix (RFC 3056 section 2). */
const SIX_TO_FOUR = /^2002:([\da-f]+):([\da-f]+):/;

/** NAT64 of a network's own (RFC 8215) has it where RFC 6052 section 2.2 puts it for a prefix of 48, 56, 64 or 96 bits. */
const LOCAL_NAT64 = /^64:ff9b:1:/;
const LOCAL_NAT64_BYTES = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
] as const;

/** The IPv4 addresses that packets to an IPv6 address (without a zone) may end up at; none when there is none in it. */
export function embeddedIpv4(address: string): readonly string[] {
  if (isIPv4(address)) {
    return [];
  }
  const groups = expandIpv6(address);
  if (LOCAL_NAT64.test(groups)) {
    const bytes = groups
      .split(":")
      .map((group) => Number(`0x${group}`))
      .flatMap((group) => [group >> 8, group & 0xff]);
    return (
      LOCAL_NAT64_BYTES.map((places) => places.map((at) => bytes[at]))
        .map((quad) => quad.join("."))
        // Zeros are the rest of a shorter prefix, or of a longer one.
        .filter((quad) => !quad.startsWith("0."))
    );
  }
  const [, high, low] =
    ENDS_IN_IPV4.exec(groups) ?? SIX_TO_FOUR.exec(groups) ?? [];
  return high === undefined || low === undefined ? [] : [dottedQuad(high, low)];
}

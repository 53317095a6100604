import { isIPv4 } from "node:net";
import { dottedQuad, expandIpv6 } from "../../domain/ip-address.ts";

/**
 * Matches IPv6 addresses that end in an IPv4 address. All groups must be written out. The formats are compatible and mapped
 * (RFC 4291 section 2.5.5), translated (RFC 2765 section 2.1), NAT64 (RFC 6052 section 2.1) and ISATAP (RFC 5214 section 6.1).
 */
const ENDS_IN_IPV4 =
  /^(?:0:0:0:0:0:(?:0|ffff)|0:0:0:0:ffff:0|64:ff9b:0:0:0:0|(?:[\da-f]+:){4}(?:0|200):5efe):([\da-f]+):([\da-f]+)$/;

/** Matches 6to4, which has the IPv4 address after the prefix (RFC 3056 section 2). */
const SIX_TO_FOUR = /^2002:([\da-f]+):([\da-f]+):/;

/** Matches local-use NAT64 (RFC 8215). RFC 6052 section 2.2 defines the bytes for a prefix of 48, 56, 64 or 96 bits. */
const LOCAL_NAT64 = /^64:ff9b:1:/;
const LOCAL_NAT64_BYTES = [
  [6, 7, 9, 10],
  [7, 9, 10, 11],
  [9, 10, 11, 12],
  [12, 13, 14, 15],
] as const;

/** Returns the IPv4 addresses that an IPv6 address (without a zone) may lead to. Empty if it contains none. */
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
        // A leading zero shows that the prefix has another length.
        .filter((quad) => !quad.startsWith("0."))
    );
  }
  const [, high, low] =
    ENDS_IN_IPV4.exec(groups) ?? SIX_TO_FOUR.exec(groups) ?? [];
  return high === undefined || low === undefined ? [] : [dottedQuad(high, low)];
}

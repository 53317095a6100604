import { isIPv4 } from "node:net";
import { dottedQuad, expandIpv6 } from "../../domain/ip-address.ts";

/**
 * IPv6 addresses that end in an IPv4 address, all groups written out: compatible and mapped (RFC 4291 section 2.5.5),
 * translated (RFC 2765 section 2.1), NAT64 (RFC 6052 section 2.1, RFC 8215).
 */
const ENDS_IN_IPV4 =
  /^(?:0:0:0:0:0:(?:0|ffff)|0:0:0:0:ffff:0|64:ff9b:0:0:0:0|64:ff9b:1:[\da-f]+:[\da-f]+:[\da-f]+):([\da-f]+):([\da-f]+)$/;

/** 6to4 has it behind the prefix (RFC 3056 section 2). */
const SIX_TO_FOUR = /^2002:([\da-f]+):([\da-f]+):/;

/** The IPv4 address that packets to an IPv6 address (without a zone) may end up at; null when there is none in it. */
export function embeddedIpv4(address: string): string | null {
  if (isIPv4(address)) {
    return null;
  }
  const groups = expandIpv6(address);
  const [, high, low] =
    ENDS_IN_IPV4.exec(groups) ?? SIX_TO_FOUR.exec(groups) ?? [];
  return high === undefined || low === undefined ? null : dottedQuad(high, low);
}

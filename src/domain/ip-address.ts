import { isIP, isIPv6 } from "node:net";

const MAPPED = /^0:0:0:0:0:ffff:([\da-f]+):([\da-f]+)$/;

/**
 * An address as it is counted and logged. An IPv4 address that is written as IPv6, as dual-stack sockets show it (RFC 4291
 * section 2.5.5.2), is one address, not two. A zone is dropped: it means something on one machine alone, and may be of any
 * length.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(":")) {
    // Asked for each connection: most addresses are IPv4.
    return address;
  }
  const [plain = ""] = address.split("%", 1);
  if (!isIPv6(plain)) {
    return plain;
  }
  const [, high, low] = MAPPED.exec(expandIpv6(plain)) ?? [];
  return high === undefined || low === undefined
    ? plain
    : dottedQuad(high, low);
}

/**
 * The address in an element of `X-Forwarded-For`, which some proxies write with a port (`192.0.2.1:5678`,
 * `[2001:db8::1]:80`); null when it is none.
 */
export function readAddress(text: string): string | null {
  const trimmed = text.trim();
  const inBrackets = /^\[([^\]]*)\](?::\d{1,5})?$/.exec(trimmed)?.[1];
  if (inBrackets !== undefined) {
    return isIPv6(inBrackets) ? canonicalAddress(inBrackets) : null;
  }
  const address = /^([\d.]+):\d{1,5}$/.exec(trimmed)?.[1] ?? trimmed;
  return isIP(address) === 0 ? null : canonicalAddress(address);
}

/**
 * What limits count as one sender: an IPv4 address, or the /64 of an IPv6 address, since a single host has all of its
 * addresses. Any other text is itself.
 */
export function networkOf(address: string): string {
  // Asked for each body: most addresses are IPv4.
  return address.includes(":") && isIPv6(address)
    ? `${expandIpv6(address).split(":", 4).join(":")}::/64`
    : address;
}

/** The IPv4 address in two groups of an IPv6 address. */
export function dottedQuad(high: string, low: string): string {
  return [high, low]
    .map((group) => Number(`0x${group}`))
    .flatMap((group) => [group >> 8, group & 0xff])
    .join(".");
}

/** All eight groups of an IPv6 address (without a zone), in lower case, without leading zeros. */
export function expandIpv6(address: string): string {
  // The URL Standard writes every address in one way: no dots, and `::` for the longest run of zeros.
  const { hostname } = new URL(`http://[${address}]`);
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...zeros, ...tail].join(":");
}

import { isIP, isIPv6 } from "node:net";

const MAPPED = /^0:0:0:0:0:ffff:([\da-f]+):([\da-f]+)$/;

/**
 * Returns an address in the form that is counted and logged. An IPv4-mapped IPv6 address, as dual-stack sockets show it
 * (RFC 4291 section 2.5.5.2), becomes the IPv4 address. A zone is removed: it has a meaning on one machine only, and may
 * have any length.
 */
export function canonicalAddress(address: string): string {
  if (!address.includes(":")) {
    // Called for each connection, and most addresses are IPv4.
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
 * Reads the address in an element of `X-Forwarded-For`. Some proxies add a port (`192.0.2.1:5678`, `[2001:db8::1]:80`).
 * Returns null if the element is not an address.
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
 * Returns the network that limits count as one client: an IPv4 address, or the /64 of an IPv6 address, because one host
 * usually has a whole /64. Returns any other text unchanged.
 */
export function networkOf(address: string): string {
  // Called for each body, and most addresses are IPv4.
  return address.includes(":") && isIPv6(address)
    ? `${expandIpv6(address).split(":", 4).join(":")}::/64`
    : address;
}

/** Returns the IPv4 address in two groups of an IPv6 address. */
export function dottedQuad(high: string, low: string): string {
  return [high, low]
    .map((group) => Number(`0x${group}`))
    .flatMap((group) => [group >> 8, group & 0xff])
    .join(".");
}

/** Returns all eight groups of an IPv6 address without a zone, in lower case, without leading zeros. */
export function expandIpv6(address: string): string {
  // The URL Standard serialises each address in one form: without dots, and with `::` for the longest run of zeros.
  const { hostname } = new URL(`http://[${address}]`);
  const [head = [], tail = []] = hostname
    .slice(1, -1)
    .split("::")
    .map((half) => (half === "" ? [] : half.split(":")));
  const zeros = Array<string>(8 - head.length - tail.length).fill("0");
  return [...head, ...zeros, ...tail].join(":");
}

import { isIP } from "node:net";
import type { Request } from "express";

/** How far `X-Forwarded-For` is believed: a number of hops, or the addresses and networks of the proxies. */
export type TrustProxy = number | readonly string[];

/**
 * The address that a request came from. Express takes what a trusted proxy claims verbatim, ports and newlines
 * and all; what is not an address does not count, and the connection's own does. An IPv6 zone, which may be of any length,
 * means something on the claimant's machine alone.
 */
export function createClientAddress(
  trust: TrustProxy,
): (req: Request) => string {
  const direct = (req: Request): string =>
    unmapped(req.socket.remoteAddress ?? "unknown");
  if (trust === 0) {
    return direct;
  }
  return (req) => {
    const claimed = req.ip?.split("%", 1)[0];
    return claimed !== undefined && isIP(claimed) !== 0
      ? unmapped(claimed)
      : direct(req);
  };
}

/** An IPv4 address that a dual-stack socket shows as IPv6 is one address, not two. */
export function unmapped(address: string): string {
  return address.startsWith("::ffff:") && isIP(address.slice(7)) === 4
    ? address.slice(7)
    : address;
}

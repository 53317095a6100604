import type { IncomingMessage } from "node:http";
import { readAddress } from "../domain/ip-address.ts";
import { createNetworks } from "../domain/networks.ts";
import { connectionOf } from "./connection/connection.ts";

/** Which proxies are trusted to set `X-Forwarded-For`: a number of hops, or their addresses and networks. */
export type TrustProxy = number | readonly string[];

/** Returns whether an address belongs to a trusted proxy. `hop` counts from 0, which is the peer of the connection. */
export type IsProxy = (address: string, hop: number) => boolean;

export function createIsProxy(trust: TrustProxy): IsProxy {
  if (typeof trust === "number") {
    return (_address, hop) => hop < trust;
  }
  return createNetworks(trust);
}

/**
 * Returns a function that finds the client address of a request. It starts with the peer of the connection. While the
 * current address belongs to a trusted proxy, it moves to the next address in `X-Forwarded-For`, from the right. It stops
 * at an element that is not an address.
 */
export function createClientAddress(
  isProxy: IsProxy,
): (req: IncomingMessage) => string {
  return (req) => {
    let { address } = connectionOf(req.socket);
    const forwarded = req.headers["x-forwarded-for"];
    if (typeof forwarded !== "string") {
      return address;
    }
    const claims = forwarded.split(",").reverse();
    for (const [hop, claim] of claims.entries()) {
      const claimed = isProxy(address, hop) ? readAddress(claim) : null;
      if (claimed === null) {
        return address;
      }
      address = claimed;
    }
    return address;
  };
}

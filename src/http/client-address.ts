import type { IncomingMessage } from "node:http";
import { BlockList, isIPv4 } from "node:net";
import { readAddress } from "../domain/ip-address.ts";
import { connectionOf } from "./connection/connection.ts";

/** How far `X-Forwarded-For` is believed: a number of hops, or the addresses and networks of the proxies. */
export type TrustProxy = number | readonly string[];

/** Whether an address is that of a proxy whose `X-Forwarded-For` is believed; `hop` counts from 0, the peer itself. */
export type IsProxy = (address: string, hop: number) => boolean;

export function createIsProxy(trust: TrustProxy): IsProxy {
  if (typeof trust === "number") {
    return (_address, hop) => hop < trust;
  }
  const networks = new BlockList();
  for (const item of trust) {
    const [address = "", bits] = item.split("/");
    if (bits === undefined) {
      networks.addAddress(address, familyOf(address));
    } else {
      networks.addSubnet(address, Number(bits), familyOf(address));
    }
  }
  return (address) => networks.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

/**
 * The address that a request came from: that of the connection, or, as long as the hop before is a proxy, the one that it
 * claims in `X-Forwarded-For`. What is no address ends the chain.
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

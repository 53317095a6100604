import { BlockList, isIP, isIPv4 } from "node:net";

/** Returns a function that returns whether an address is in a list of addresses and networks, such as `192.0.2.0/24`. */
export function createNetworks(
  items: readonly string[],
): (address: string) => boolean {
  const networks = new BlockList();
  for (const item of items) {
    const [address = "", bits] = item.split("/");
    if (bits === undefined) {
      networks.addAddress(address, familyOf(address));
    } else {
      networks.addSubnet(address, Number(bits), familyOf(address));
    }
  }
  return (address) =>
    isIP(address) !== 0 && networks.check(address, familyOf(address));
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

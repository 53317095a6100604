import { BlockList, isIPv4 } from "node:net";
import { embeddedIpv4 } from "./embedded-ipv4.ts";

/** Why connections to an address are forbidden. */
export type ForbiddenKind =
  | "metadata"
  | "link-local"
  | "multicast"
  | "broadcast"
  | "loopback"
  | "private"
  | "shared"
  | "unspecified"
  | "reserved";

interface Rule {
  readonly kind: ForbiddenKind;
  readonly networks: BlockList;
}

/**
 * Forbidden in every configuration. No destination needs such an address: some serve cloud credentials, others reach any
 * host on the local network.
 */
const ALWAYS: readonly Rule[] = [
  rule("metadata", [
    "169.254.169.254/32", // most clouds
    "100.100.100.200/32", // Alibaba Cloud
    "168.63.129.16/32", // Azure's wire server
    "192.0.0.192/32", // Oracle Cloud
    "fd00:ec2::254/128", // AWS
    "fd00:ec2::23/128", // AWS pod identities
    "fd20:ce::254/128", // Google Cloud
  ]),
  rule("link-local", ["169.254.0.0/16", "fe80::/10"]),
  rule("multicast", ["224.0.0.0/4", "ff00::/8"]),
  rule("broadcast", ["255.255.255.255/32"]),
  // Teredo (RFC 4380) embeds two IPv4 addresses. It is out of use on the internet.
  rule("reserved", ["2001::/32"]),
];

/**
 * Non-public addresses (IANA special-purpose address registries). An operator may have services there and can allow them.
 */
const UNLESS_ALLOWED: readonly Rule[] = [
  rule("loopback", ["127.0.0.0/8", "::1/128"]),
  rule("private", [
    ...["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
    ...["fc00::/7", "fec0::/10"],
  ]),
  rule("shared", ["100.64.0.0/10"]),
  // Linux connects these to the local host.
  rule("unspecified", ["0.0.0.0/8", "::/128"]),
  rule("reserved", ["192.0.0.0/24", "198.18.0.0/15", "240.0.0.0/4"]),
];

const ALL: readonly Rule[] = [...ALWAYS, ...UNLESS_ALLOWED];

/**
 * Returns why connections to an IP address are forbidden, or null if they are allowed. Accepts what `isIP` accepts,
 * including an IPv6 zone. An IPv4 address inside an IPv6 address is checked too.
 */
export function forbiddenKind(
  address: string,
  options: { allowPrivate: boolean },
): ForbiddenKind | null {
  const plain = address.replace(/%.*$/, "");
  const embedded = embeddedIpv4(plain);
  const found = (options.allowPrivate ? ALWAYS : ALL).find(
    ({ networks }) =>
      networks.check(plain, familyOf(plain)) ||
      embedded.some((inner) => networks.check(inner, "ipv4")),
  );
  return found?.kind ?? null;
}

function rule(kind: ForbiddenKind, cidrs: readonly string[]): Rule {
  const networks = new BlockList();
  for (const cidr of cidrs) {
    const [network = "", bits] = cidr.split("/");
    networks.addSubnet(network, Number(bits), familyOf(network));
  }
  return { kind, networks };
}

function familyOf(address: string): "ipv4" | "ipv6" {
  return isIPv4(address) ? "ipv4" : "ipv6";
}

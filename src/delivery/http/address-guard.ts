import type { LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { type ForbiddenKind, forbiddenKind } from "./forbidden-address.ts";

export interface GuardOptions {
  /** Whether connections to loopback, RFC 1918 and other non-public addresses are allowed. */
  readonly allowPrivate: boolean;
}

/** All addresses of a destination are forbidden. `kind` is the kind of the first one. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
  readonly kind: ForbiddenKind;

  constructor(kind: ForbiddenKind) {
    super(`the address is forbidden: ${kind}`);
    this.kind = kind;
  }
}

/**
 * Returns a look-up that yields only allowed addresses. It fails with AddressRefused when a name has none. Node connects to
 * exactly the addresses that the look-up yields, so DNS rebinding does not bypass the check. Node does not look up a host
 * that is an address; `forbiddenHost` checks those.
 */
export function createGuardedLookup(
  lookup: LookupFunction,
  options: GuardOptions,
): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    // Ask for all addresses, even if the caller wants one: the first may be forbidden and another allowed.
    lookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
      const outcome = error ?? allowedOf(found, options);
      // Call back in a later tick: a socket listens for errors only after the look-up has returned.
      process.nextTick(() => {
        if (!Array.isArray(outcome)) {
          callback(outcome, []);
        } else if (lookupOptions.all) {
          callback(null, outcome);
        } else {
          callback(null, outcome[0].address, outcome[0].family);
        }
      });
    });
  };
}

function allowedOf(
  found: string | readonly LookupAddress[],
  options: GuardOptions,
): [LookupAddress, ...LookupAddress[]] | Error {
  const addresses = typeof found === "string" ? [{ address: found }] : found;
  const judged = addresses
    .filter(({ address }) => isIP(address) !== 0)
    .map(({ address }) => ({ address, kind: forbiddenKind(address, options) }));
  const [first, ...others] = judged
    .filter(({ kind }) => kind === null)
    .map(({ address }) => ({ address, family: isIP(address) }));
  if (first !== undefined) {
    return [first, ...others];
  }
  const kind = judged[0]?.kind ?? null;
  return kind === null
    ? Object.assign(new Error("no address"), { code: "ENOTFOUND" })
    : new AddressRefused(kind);
}

/** Returns the kind of the host of `url` if it is a forbidden address, else null. */
export function forbiddenHost(
  url: URL,
  options: GuardOptions,
): ForbiddenKind | null {
  // The URL parser normalizes every spelling of an address, and writes IPv6 in brackets.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return isIP(host) === 0 ? null : forbiddenKind(host, options);
}

/**
 * Returns the kind of the host of `url` if it is an address that every configuration forbids, else null. It is used for a
 * warning before the first attempt.
 */
export function forbiddenLiteral(url: string): ForbiddenKind | null {
  return URL.canParse(url)
    ? forbiddenHost(new URL(url), { allowPrivate: true })
    : null;
}

import type { LookupAddress } from "node:dns";
import { isIP, type LookupFunction } from "node:net";
import { type ForbiddenKind, forbiddenKind } from "./forbidden-address.ts";

export interface GuardOptions {
  /** Whether loopback, RFC 1918 and other addresses that are not on the internet may be connected to. */
  readonly allowPrivate: boolean;
}

/** All addresses of a destination are forbidden; `kind` is that of the first. */
export class AddressRefused extends Error {
  override readonly name = "AddressRefused";
  readonly kind: ForbiddenKind;

  constructor(kind: ForbiddenKind) {
    super(`the address is forbidden: ${kind}`);
    this.kind = kind;
  }
}

/**
 * A look-up that gives only addresses that may be connected to, and fails with AddressRefused when there is none.
 * Since the connection then goes to one of exactly those, a name that soon means another address (DNS rebinding) gains
 * nothing. Node looks up no host that is an address: `forbiddenHost` is for these.
 */
export function createGuardedLookup(
  lookup: LookupFunction,
  options: GuardOptions,
): LookupFunction {
  return (hostname, lookupOptions, callback) => {
    // All of them, even for who wants one: behind a forbidden one may be one that is not.
    lookup(hostname, { ...lookupOptions, all: true }, (error, found) => {
      const outcome = error ?? allowedOf(found, options);
      // Not at once: a socket listens for errors only when the look-up has returned.
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

/** The kind of the host of `url` when that is an address which may not be connected to, else null. */
export function forbiddenHost(
  url: URL,
  options: GuardOptions,
): ForbiddenKind | null {
  // The URL Standard writes every spelling of an address in one way, and IPv6 in brackets.
  const host = url.hostname.replace(/^\[|\]$/g, "");
  return isIP(host) === 0 ? null : forbiddenKind(host, options);
}

/**
 * The kind of the host of `url` when that is an address which is refused whatever is configured, else null: for a
 * warning before the first attempt.
 */
export function forbiddenLiteral(url: string): ForbiddenKind | null {
  return URL.canParse(url)
    ? forbiddenHost(new URL(url), { allowPrivate: true })
    : null;
}

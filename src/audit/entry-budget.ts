import { networkOf } from "../domain/ip-address.ts";

/** Decides whether one more entry may be written for what anybody can send. */
export interface EntryBudget {
  /** Takes one entry from the budget of `address` and from that of all; false when either is used up. */
  take(address: string, now: number): boolean;
}

/**
 * At most `perAddress` entries for an address (IPv6: a /64) and `inAll` for all of them within any `windowMs`. Remembers the entries of
 * one window and nothing else, so that its memory does not depend on how many addresses are claimed.
 */
export function createEntryBudget(options: {
  perAddress: number;
  inAll: number;
  windowMs: number;
}): EntryBudget {
  const { perAddress, inAll, windowMs } = options;
  /** Oldest first; never more than `inAll`. */
  const taken: { readonly network: string; readonly at: number }[] = [];
  const counts = new Map<string, number>();

  function forgetOld(now: number): void {
    // Both ways: after a clock was set back, what lies far ahead must not hold for ever.
    const kept = taken.findIndex(({ at }) => Math.abs(now - at) < windowMs);
    for (const { network } of taken.splice(
      0,
      kept === -1 ? taken.length : kept,
    )) {
      const count = counts.get(network) ?? 0;
      if (count > 1) {
        counts.set(network, count - 1);
      } else {
        counts.delete(network);
      }
    }
  }

  return {
    take(address, now) {
      forgetOld(now);
      const network = networkOf(address);
      const count = counts.get(network) ?? 0;
      if (taken.length >= inAll || count >= perAddress) {
        return false;
      }
      taken.push({ network, at: now });
      counts.set(network, count + 1);
      return true;
    },
  };
}

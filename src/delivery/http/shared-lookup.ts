import type { LookupFunction } from "node:net";

type Callback = Parameters<LookupFunction>[2];

/**
 * Returns a look-up that makes only one look-up of a name at a time. Other callers wait for it and get the same result. The
 * system's resolver has few threads and cannot be aborted. Without this limit, the look-ups of a name whose servers are down
 * would occupy all threads, and delay the look-ups of every other destination.
 */
export function createSharedLookup(lookup: LookupFunction): LookupFunction {
  const pending = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const key = JSON.stringify([hostname, options]);
    const others = pending.get(key);
    if (others !== undefined) {
      others.push(callback);
      return;
    }
    const waiting = [callback];
    pending.set(key, waiting);
    lookup(hostname, options, (...result) => {
      pending.delete(key);
      for (const notify of waiting) {
        notify(...result);
      }
    });
  };
}

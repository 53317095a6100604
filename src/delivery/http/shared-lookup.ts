import type { LookupFunction } from "node:net";

type Callback = Parameters<LookupFunction>[2];

/**
 * Returns a look-up that resolves a name once at a time. Callers that ask meanwhile get the same result. The system's
 * resolver has few threads and cannot be aborted. Without this limit, the look-ups of a name whose servers are down would
 * occupy all threads, and delay the look-ups of every other destination.
 */
export function createSharedLookup(lookup: LookupFunction): LookupFunction {
  const pending = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const question = JSON.stringify([hostname, options]);
    const others = pending.get(question);
    if (others !== undefined) {
      others.push(callback);
      return;
    }
    const waiting = [callback];
    pending.set(question, waiting);
    lookup(hostname, options, (...result) => {
      pending.delete(question);
      for (const notify of waiting) {
        notify(...result);
      }
    });
  };
}

import type { LookupFunction } from "node:net";

type Callback = Parameters<LookupFunction>[2];

/**
 * At most one look-up of a name at a time: whoever asks meanwhile gets the same answer. The system's resolver works in
 * few threads and cannot be stopped, so the look-ups of a name whose servers are down would pile up there, attempt
 * after attempt, and hold up those of every other destination.
 */
export function createSharedLookup(lookup: LookupFunction): LookupFunction {
  const underWay = new Map<string, Callback[]>();
  return (hostname, options, callback) => {
    const question = JSON.stringify([hostname, options]);
    const others = underWay.get(question);
    if (others !== undefined) {
      others.push(callback);
      return;
    }
    const waiting = [callback];
    underWay.set(question, waiting);
    lookup(hostname, options, (...answer) => {
      underWay.delete(question);
      for (const tell of waiting) {
        tell(...answer);
      }
    });
  };
}

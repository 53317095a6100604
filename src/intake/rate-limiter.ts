import type { ProblemCode } from "../errors.ts";
import { networkOf } from "../domain/ip-address.ts";

/** Decides what a request is refused with: its own code, or that there were too many. */
export interface RefusalBudget {
  /**
   * Takes one refusal from the budget of `address`, and gives `code`, or `too_many_requests` when it is used up. What
   * the service itself cannot do (`unavailable`) is not the sender's fault, and costs nothing.
   */
  refuse(code: ProblemCode, address: string, now: number): ProblemCode;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A token bucket for each address (IPv6: a /64): `burst` refusals at once, `perSecond` more as time passes. At most `maxAddresses`
 * buckets are kept, so that claimed addresses cannot grow memory: those that were not touched while half as many others
 * were are forgotten, all at once.
 */
export function createRefusalBudget(options: {
  burst: number;
  perSecond: number;
  maxAddresses: number;
}): RefusalBudget {
  const { burst, perSecond, maxAddresses } = options;
  let recent = new Map<string, Bucket>();
  let older: ReadonlyMap<string, Bucket> = new Map<string, Bucket>();

  /** False when the budget is used up. */
  function take(network: string, now: number): boolean {
    const known = recent.get(network) ?? older.get(network);
    const elapsed = known ? Math.max(0, now - known.at) / 1000 : 0;
    const tokens = known
      ? Math.min(burst, known.tokens + elapsed * perSecond)
      : burst;
    const within = tokens >= 1;
    recent.set(network, { tokens: within ? tokens - 1 : tokens, at: now });
    if (recent.size * 2 >= maxAddresses) {
      older = recent;
      recent = new Map();
    }
    return within;
  }

  return {
    refuse: (code, address, now) =>
      code === "unavailable" || take(networkOf(address), now)
        ? code
        : "too_many_requests",
  };
}

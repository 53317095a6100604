import { networkOf } from "../domain/ip-address.ts";
import type { ProblemCode } from "../errors.ts";

/** Limits how many rejections one client gets in full. */
export interface RateLimiter {
  /**
   * Charges one rejection to `address`, and returns `code`, or `too_many_requests` when the limit is used up.
   * `unavailable` is not the sender's doing and costs nothing. `now` is in milliseconds of a monotonic clock.
   */
  charge(code: ProblemCode, address: string, now: number): ProblemCode;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * A token bucket for each address (IPv6: a /64): `burst` rejections at once, `perSecond` more as time passes. At most
 * `maxAddresses` buckets are kept, so that claimed addresses cannot grow memory: those that were not touched while half
 * as many others were are forgotten together.
 */
export function createRateLimiter(options: {
  burst: number;
  perSecond: number;
  maxAddresses: number;
}): RateLimiter {
  const { burst, perSecond, maxAddresses } = options;
  let recent = new Map<string, Bucket>();
  let older: ReadonlyMap<string, Bucket> = new Map<string, Bucket>();

  /** False when the bucket is empty. */
  function take(network: string, now: number): boolean {
    const known = recent.get(network) ?? older.get(network);
    const elapsed = known ? (now - known.at) / 1000 : 0;
    const tokens = known
      ? Math.min(burst, known.tokens + elapsed * perSecond)
      : burst;
    const isWithin = tokens >= 1;
    recent.set(network, { tokens: isWithin ? tokens - 1 : tokens, at: now });
    if (recent.size * 2 >= maxAddresses) {
      older = recent;
      recent = new Map();
    }
    return isWithin;
  }

  return {
    charge: (code, address, now) =>
      code === "unavailable" || take(networkOf(address), now)
        ? code
        : "too_many_requests",
  };
}

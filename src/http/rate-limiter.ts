import { networkOf } from "../domain/ip-address.ts";
import type { ProblemCode } from "../errors.ts";

/** Limits the number of rejections that one client gets with their own code. */
export interface RateLimiter {
  /**
   * Charges one rejection to `address`. Returns `code`, or `too_many_requests` if the limit is exceeded. `unavailable` is
   * not charged, because the sender did not cause it. `now` is in milliseconds of a monotonic clock.
   */
  charge(code: ProblemCode, address: string, now: number): ProblemCode;
}

interface Bucket {
  tokens: number;
  at: number;
}

/**
 * Creates a token bucket for each address (IPv6: a /64). A bucket holds `burst` tokens and gains `perSecond` each second.
 * At most `maxAddresses` buckets are kept, so that many claimed addresses cannot exhaust memory. A bucket is kept at least until
 * `maxAddresses / 2` other addresses have been charged after its last charge.
 */
export function createRateLimiter(options: {
  burst: number;
  perSecond: number;
  maxAddresses: number;
}): RateLimiter {
  const { burst, perSecond, maxAddresses } = options;
  let recent = new Map<string, Bucket>();
  let older: ReadonlyMap<string, Bucket> = new Map<string, Bucket>();

  /** Takes one token. Returns false if the bucket is empty. */
  function take(network: string, now: number): boolean {
    const bucket = recent.get(network) ?? older.get(network);
    const elapsed = bucket ? (now - bucket.at) / 1000 : 0;
    const tokens = bucket
      ? Math.min(burst, bucket.tokens + elapsed * perSecond)
      : burst;
    const hasToken = tokens >= 1;
    recent.set(network, { tokens: hasToken ? tokens - 1 : tokens, at: now });
    if (recent.size * 2 >= maxAddresses) {
      older = recent;
      recent = new Map();
    }
    return hasToken;
  }

  return {
    charge: (code, address, now) =>
      code === "unavailable" || take(networkOf(address), now)
        ? code
        : "too_many_requests",
  };
}

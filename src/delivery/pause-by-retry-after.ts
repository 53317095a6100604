import { pausedByRetryAfter } from "../audit/destination-entries.ts";
import type { AttemptResult } from "../domain/delivery.ts";
import { MAX_RETRY_AFTER_MS } from "../domain/retry-after.ts";
import type { RequestedPause } from "../store/records.ts";

/** The statuses that apply to the whole destination: Too Many Requests and Service Unavailable. */
const PAUSING_STATUSES = new Set([429, 503]);

/**
 * Returns the pause that a destination requests with `Retry-After`, at most one hour; undefined when its response requests
 * none. `at` is in unix milliseconds.
 */
export function requestedPause(
  destination: string,
  result: AttemptResult,
  at: number,
): RequestedPause | undefined {
  if (result.ok || !PAUSING_STATUSES.has(result.status ?? 0)) {
    return undefined;
  }
  const { status = 0, retryAfterMs = 0 } = result;
  if (retryAfterMs <= 0) {
    return undefined;
  }
  const until = at + Math.min(retryAfterMs, MAX_RETRY_AFTER_MS);
  const entry = pausedByRetryAfter({ destination, status, at, until });
  return { destination, at, until, entry };
}

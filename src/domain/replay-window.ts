export type WindowVerdict = "inside" | "stale_timestamp" | "future_timestamp";

/**
 * Returns the seconds from the signed time to the time of this clock: positive for a message from the past. Both times are
 * in whole seconds, like the timestamp header.
 */
export function skewSeconds(nowMs: number, signedAtSeconds: number): number {
  return Math.floor(nowMs / 1000) - signedAtSeconds;
}

/**
 * Returns whether a message is inside the replay window (`|now − t| ≤ window`, inclusive), too old, or too far in the
 * future.
 */
export function judgeWindow(
  skew: number,
  windowSeconds: number,
): WindowVerdict {
  if (skew > windowSeconds) {
    return "stale_timestamp";
  }
  return skew < -windowSeconds ? "future_timestamp" : "inside";
}

export type WindowVerdict = "inside" | "stale_timestamp" | "future_timestamp";

/**
 * Seconds between the receiver's clock and the signed time: positive for a message from the past.
 * Both sides count whole seconds, as the timestamp header does.
 */
export function skewSeconds(nowMs: number, signedAtSeconds: number): number {
  return Math.floor(nowMs / 1000) - signedAtSeconds;
}

/** `|now − t| ≤ window`, inclusive, both ways. */
export function judgeWindow(
  skew: number,
  windowSeconds: number,
): WindowVerdict {
  if (skew > windowSeconds) {
    return "stale_timestamp";
  }
  return skew < -windowSeconds ? "future_timestamp" : "inside";
}

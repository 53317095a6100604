import type { ReplayClaim } from "../../domain/event.ts";
import type { Database } from "./driver.ts";

/** The `signed_at` of a claim whose scheme signs no time. */
const TIMELESS = -1;

/**
 * Keeps the replay claims of requests for an event that was already stored, inside the caller's transaction. The first claim
 * of an event is in the event's row.
 */
export interface ReplayClaims {
  /** Whether a request has written this claim. */
  readonly has: (claim: ReplayClaim) => boolean;
  /** Writes a claim. Returns false if the same request has already written it. */
  readonly claim: (claim: ReplayClaim, claimedAt: number) => boolean;
  /** Deletes up to `limit` claims that were signed before `signedBefore` (unix seconds). Returns how many. */
  readonly forget: (signedBefore: number, limit: number) => number;
  /** Deletes up to `limit` claims without a signed time that were written before `claimedBefore` (unix milliseconds). */
  readonly forgetTimeless: (claimedBefore: number, limit: number) => void;
}

export function createReplayClaims(db: Database): ReplayClaims {
  const select = db.prepare<[number, Buffer]>(
    "SELECT 1 FROM replay_claim WHERE signed_at = ? AND mac = ?",
  );
  const insert = db.prepare<[number, Buffer, number]>(
    "INSERT OR IGNORE INTO replay_claim (signed_at, mac, claimed_at) VALUES (?, ?, ?)",
  );
  const forget = db.prepare<[number, number]>(
    `DELETE FROM replay_claim WHERE (signed_at, mac) IN (
       SELECT signed_at, mac FROM replay_claim WHERE signed_at BETWEEN 0 AND ? LIMIT ?)`,
  );
  const forgetTimeless = db.prepare<[number, number]>(
    `DELETE FROM replay_claim WHERE (signed_at, mac) IN (
       SELECT signed_at, mac FROM replay_claim WHERE signed_at = ${TIMELESS} AND claimed_at < ? LIMIT ?)`,
  );
  return {
    has: ({ signedAt, replayKey }) =>
      select.get(signedAt ?? TIMELESS, replayKey) !== undefined,
    claim: ({ signedAt, replayKey }, claimedAt) =>
      insert.run(signedAt ?? TIMELESS, replayKey, claimedAt).changes === 1,
    forget: (signedBefore, limit) =>
      forget.run(signedBefore - 1, limit).changes,
    forgetTimeless(claimedBefore, limit) {
      forgetTimeless.run(claimedBefore, limit);
    },
  };
}

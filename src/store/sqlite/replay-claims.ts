import type { ReplayClaim } from "../../domain/event.ts";
import type { Database } from "./driver.ts";

/** The second under which a scheme that signs no time claims. */
const TIMELESS = -1;

/**
 * The replay claims of requests for an event that was known already, inside the caller's transaction. The first claim of an
 * event is in its own row.
 */
export interface ReplayClaims {
  /** False when the same request has claimed before. */
  readonly claim: (
    claim: ReplayClaim,
    source: string,
    claimedAt: number,
  ) => boolean;
  /** Drops claims that were signed before `signedBefore` (unix seconds), at most `limit`. Returns how many. */
  readonly forget: (signedBefore: number, limit: number) => number;
  /** Drops claims of schemes that sign no time, made before `claimedBefore` (unix milliseconds), at most `limit`. */
  readonly forgetTimeless: (claimedBefore: number, limit: number) => void;
}

export function createReplayClaims(db: Database): ReplayClaims {
  const insert = db.prepare<[number, Buffer, string, number]>(
    "INSERT OR IGNORE INTO replay_claim (signed_at, mac, source, claimed_at) VALUES (?, ?, ?, ?)",
  );
  const forget = db.prepare<[number, number]>(
    `DELETE FROM replay_claim WHERE (signed_at, mac, source) IN (
       SELECT signed_at, mac, source FROM replay_claim WHERE signed_at BETWEEN 0 AND ? LIMIT ?)`,
  );
  const forgetTimeless = db.prepare<[number, number]>(
    `DELETE FROM replay_claim WHERE (signed_at, mac, source) IN (
       SELECT signed_at, mac, source FROM replay_claim WHERE signed_at = ${TIMELESS} AND claimed_at < ? LIMIT ?)`,
  );
  return {
    claim: ({ signedAt, replayKey }, source, claimedAt) =>
      insert.run(signedAt ?? TIMELESS, replayKey, source, claimedAt).changes ===
      1,
    forget: (signedBefore, limit) =>
      forget.run(signedBefore - 1, limit).changes,
    forgetTimeless(claimedBefore, limit) {
      forgetTimeless.run(claimedBefore, limit);
    },
  };
}

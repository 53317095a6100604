import type { ReplayClaim } from "../../domain/event.ts";
import { bytesArray, int8Array } from "./binary-arrays.ts";
import type { Sql } from "./sql.ts";

/** The `signed_at` of a claim whose scheme signs no time. Such a claim is in the table timeless_claim. */
export const TIMELESS = -1;

/** What identifies a replay claim. It counts for all sources with the same secret. */
export type ClaimKey = Pick<ReplayClaim, "signedAt" | "replayKey">;

const FORGET = {
  name: "forget-claims",
  text: `
WITH claim AS (
  SELECT * FROM unnest($1::bigint[], $2::bytea[]) AS c (signed_at, mac)
), timeless AS (
  DELETE FROM timeless_claim t USING claim c WHERE c.signed_at = ${TIMELESS} AND t.mac = c.mac
)
DELETE FROM replay_claim r USING claim c WHERE r.signed_at = c.signed_at AND r.mac = c.mac`,
};

/**
 * Deletes the claims of records that were answered with an error, but were committed after all. So the sender's identical
 * retry is a duplicate, not a replay.
 */
export async function forgetClaims(
  sql: Sql,
  claims: readonly ClaimKey[],
): Promise<void> {
  await sql.execute(FORGET, [
    int8Array(claims.map(({ signedAt }) => signedAt ?? TIMELESS)),
    bytesArray(claims.map(({ replayKey }) => replayKey)),
  ]);
}

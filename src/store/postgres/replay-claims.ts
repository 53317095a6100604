import { bytesArray, int8Array, textArray } from "./binary-arrays.ts";
import type { EventRecord } from "../records.ts";
import type { Sql } from "./sql.ts";

/** The `signed_at` of a claim whose scheme signs no time. Such a claim is in the table timeless_claim. */
export const TIMELESS = -1;

/** The replay claim of a record. */
export type ClaimKey = Omit<EventRecord["claim"], "sharedWith"> & {
  readonly source: string;
};

export function claimOf({ claim, event }: EventRecord): ClaimKey {
  return { ...claim, source: event.source };
}

const FORGET = {
  name: "forget-claims",
  text: `
WITH claim AS (
  SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::text[]) AS c (signed_at, mac, source)
), timeless AS (
  DELETE FROM timeless_claim t USING claim c WHERE c.signed_at = ${TIMELESS} AND t.mac = c.mac AND t.source = c.source
)
DELETE FROM replay_claim r USING claim c WHERE r.signed_at = c.signed_at AND r.mac = c.mac AND r.source = c.source`,
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
    textArray(claims.map(({ source }) => source)),
  ]);
}

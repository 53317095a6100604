import {
  booleanArray,
  bytesArray,
  int4Array,
  textArray,
} from "./binary-arrays.ts";
import type { NewRecord } from "./record-values.ts";
import type { Sql } from "./sql.ts";

/** A stored event with the idempotency key of a record. */
export interface KnownEvent {
  readonly source: string;
  readonly id: Buffer;
  readonly bodySha256: Buffer;
}

/** LIMIT 1 makes the planner look up each key. */
const FIND = {
  name: "known-events",
  text: `
SELECT n, source, id, body_sha256 AS "bodySha256"
FROM unnest($1::int[], $2::text[], $3::bytea[], $4::boolean[]) AS wanted (n, source, key, id_signed)
CROSS JOIN LATERAL (
  (SELECT e.id, e.body_sha256 FROM event_id e
    WHERE wanted.id_signed AND e.source = wanted.source AND e.id = wanted.key LIMIT 1)
  UNION ALL
  (SELECT u.id, u.body_sha256 FROM unsigned_event u
    WHERE NOT wanted.id_signed AND u.source = wanted.source AND u.body_sha256 = wanted.key LIMIT 1)) AS found`,
};

/**
 * Returns for each record the stored events with its idempotency key: that of its source first, then those of the sources with
 * the same secret.
 */
export async function findKnown(
  sql: Pick<Sql, "query">,
  records: readonly NewRecord[],
): Promise<readonly (readonly KnownEvent[])[]> {
  if (records.length === 0) {
    return [];
  }
  const wanted = records.flatMap((one, n) =>
    [one.record.event.source, ...one.record.claim.sharedWith].map((source) => ({
      n,
      source,
      one,
    })),
  );
  const rows = await sql.query<KnownEvent & { readonly n: number }>(FIND, [
    int4Array(wanted.map(({ n }) => n)),
    textArray(wanted.map(({ source }) => source)),
    bytesArray(wanted.map(({ one }) => keyOf(one))),
    booleanArray(wanted.map(({ one }) => one.record.event.idSigned)),
  ]);
  const found = records.map((): KnownEvent[] => []);
  for (const { n, ...event } of rows) {
    if (event.source === records[n]?.record.event.source) {
      found[n]?.unshift(event);
    } else {
      found[n]?.push(event);
    }
  }
  return found;
}

const keyOf = ({ record, id, bodySha256 }: NewRecord): Buffer =>
  record.event.idSigned ? id : bodySha256;

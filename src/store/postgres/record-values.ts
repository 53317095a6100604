import { AFTER_ANOTHER } from "../limits.ts";
import type { EventRecord } from "../records.ts";
import {
  booleanArray,
  bytesArray,
  int4Array,
  int8Array,
  textArray,
} from "./binary-arrays.ts";
import { type ClaimKey, TIMELESS } from "./replay-claims.ts";
import { DAY_MS } from "./days.ts";

/** A record with the id that its event gets, in UTF-8, and the digest of its body. */
export interface NewRecord {
  readonly record: EventRecord;
  readonly id: Buffer;
  readonly bodySha256: Buffer;
}

/**
 * A part of a statement: the rows `new`, one for each record, numbered by `i` from 1. `first`: the number of the first of
 * their ten parameters. `seq` and `idSigned`: expressions for the numbers of the events, and whether their ids are signed.
 */
export const newRows = (
  first: number,
  { seq, idSigned }: { seq: string; idSigned: string },
): string => {
  const at = (offset: number): string => `$${first + offset}`;
  return `
new AS MATERIALIZED (
  SELECT n.*, (received_at / ${DAY_MS})::int AS day, ${seq} AS seq, ${idSigned} AS id_signed
  FROM unnest(${at(0)}::text[], ${at(1)}::bytea[], ${at(2)}::bytea[], ${at(3)}::bigint[], ${at(4)}::text[],
    ${at(5)}::text[], ${at(6)}::bytea[], ${at(7)}::bytea[], ${at(8)}::bigint[], ${at(9)}::bytea[])
    WITH ORDINALITY
    AS n (source, id, type, received_at, content_type, headers, body_sha256, body, signed_at, mac, i)
)`;
};

/** The parameters of `newRows`. */
export function recordValues(records: readonly NewRecord[]): Buffer[] {
  const events = records.map(({ record }) => record.event);
  return [
    textArray(events.map(({ source }) => source)),
    bytesArray(records.map(({ id }) => id)),
    bytesArray(events.map(({ type }) => Buffer.from(type))),
    int8Array(events.map(({ receivedAt }) => receivedAt)),
    textArray(events.map(({ contentType }) => contentType)),
    textArray(events.map(({ headers }) => headers)),
    bytesArray(records.map(({ bodySha256 }) => bodySha256)),
    bytesArray(events.map(({ body }) => body)),
    int8Array(records.map(({ record }) => record.claim.signedAt ?? TIMELESS)),
    bytesArray(records.map(({ record }) => record.claim.replayKey)),
  ];
}

export const INSERT_EVENTS = `
INSERT INTO event (day, seq, source, id, type, received_at, content_type, headers, body_sha256, body, id_signed)
SELECT day, seq, source, id, type, received_at, content_type, headers, body_sha256, body, id_signed FROM new`;

/**
 * Inserts the deliveries of the rows `new`. A delivery waits if an earlier one of its order key is pending. `first`: the
 * number of the first of the five parameters. The last one is added to the times, because due times are by the database's
 * clock. `given`: a condition; without it nothing is written.
 */
export const insertDeliveries = (first: number, given = "true"): string => {
  const at = (offset: number): string => `$${first + offset}`;
  const isPending = (dueAt: string): string => `
      (SELECT true FROM pending_delivery p
        WHERE p.destination = d.destination AND p.order_key = d.order_key AND due_at ${dueAt} ${AFTER_ANOTHER} LIMIT 1)`;
  return `
INSERT INTO pending_delivery (id, day, event_seq, destination, due_at, order_key, pending_since)
SELECT nextval('delivery_id'), new.day, new.seq, d.destination,
  CASE WHEN d.order_key IS NOT NULL AND (d.waits OR ${isPending("<")} OR ${isPending("=")})
    THEN ${AFTER_ANOTHER} ELSE new.received_at + ${at(4)}::bigint END,
  d.order_key, new.received_at + ${at(4)}::bigint
FROM unnest(${at(0)}::int[], ${at(1)}::text[], ${at(2)}::bytea[], ${at(3)}::boolean[]) WITH ORDINALITY
  AS d (i, destination, order_key, waits, place)
JOIN new USING (i) WHERE ${given}
ORDER BY place`;
};

/** The parameters of `insertDeliveries`. */
export function deliveryValues(
  records: readonly NewRecord[],
  clockOffset: number,
): unknown[] {
  const numbers: number[] = [];
  const destinations: string[] = [];
  const keys: (Buffer | null)[] = [];
  const waits: boolean[] = [];
  const seen = new Set<string>();
  for (const [i, { record }] of records.entries()) {
    for (const { destination, orderKey } of record.deliveries) {
      const key = orderKey === null ? null : `${destination}\0${orderKey}`;
      numbers.push(i + 1);
      destinations.push(destination);
      keys.push(orderKey === null ? null : Buffer.from(orderKey));
      waits.push(key !== null && seen.has(key));
      if (key !== null) {
        seen.add(key);
      }
    }
  }
  return [
    int4Array(numbers),
    textArray(destinations),
    bytesArray(keys),
    booleanArray(waits),
    clockOffset,
  ];
}

/** Identifies an event: its source and id. */
export const eventKey = (source: string, id: Buffer): string =>
  `${source}\0${id.toString("latin1")}`;

/** Identifies a replay claim. */
export const claimKey = ({ signedAt, replayKey }: ClaimKey): string =>
  `${signedAt ?? TIMELESS}\0${replayKey.toString("latin1")}`;

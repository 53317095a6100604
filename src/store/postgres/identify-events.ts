import { nextId } from "../free-id.ts";
import type { Tx } from "./audited-transaction.ts";
import {
  bytesArray,
  int4Array,
  int8Array,
  textArray,
} from "./binary-arrays.ts";
import { dayOf } from "./days.ts";
import { findKnown } from "./known-events.ts";
import { eventKey, type NewRecord } from "./record-values.ts";
import { storeError } from "./store-error.ts";

/** A new event: its record with the id that it gets, and its number. */
export interface IdentifiedEvent {
  readonly record: NewRecord;
  readonly seq: number;
}

const IDENTIFY = {
  name: "identify-events",
  text: `
WITH new AS MATERIALIZED (
  SELECT e.*, nextval('event_seq') AS seq FROM unnest($1::text[], $2::bytea[], $3::int[], $4::bytea[])
    AS e (source, id, day, body_sha256)
)
INSERT INTO event_id (source, id, day, seq, body_sha256)
SELECT source, id, day, seq, body_sha256 FROM new ORDER BY source COLLATE "C", id, seq
ON CONFLICT DO NOTHING RETURNING source, id, seq`,
};

const INSERT_UNSIGNED = {
  name: "insert-unsigned-events",
  text: `
INSERT INTO unsigned_event (source, body_sha256, id, seq)
SELECT * FROM unnest($1::text[], $2::bytea[], $3::bytea[], $4::bigint[]) AS e (source, body_sha256, id, seq)
ORDER BY source COLLATE "C", body_sha256
ON CONFLICT DO NOTHING`,
};

/**
 * Writes the idempotency keys of records. Returns the events that are new. Of several with one key, the first one is new.
 */
export async function identifyEvents(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<ReadonlyMap<NewRecord, IdentifiedEvent>> {
  const isSigned = ({ record }: NewRecord): boolean => record.event.idSigned;
  const signed = await writeIds(tx, records.filter(isSigned));
  const unsigned = await identifyUnsigned(
    tx,
    records.filter((one) => !isSigned(one)),
  );
  return new Map([...signed, ...unsigned]);
}

/** Writes the ids that no other event of their source has. */
async function writeIds(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<Map<NewRecord, IdentifiedEvent>> {
  const found = new Map<NewRecord, IdentifiedEvent>();
  if (records.length === 0) {
    return found;
  }
  const events = records.map(({ record }) => record.event);
  const rows = await tx.query<{ source: string; id: Buffer; seq: number }>(
    IDENTIFY,
    [
      textArray(events.map(({ source }) => source)),
      bytesArray(records.map(({ id }) => id)),
      int4Array(events.map(({ receivedAt }) => dayOf(receivedAt))),
      bytesArray(records.map(({ bodySha256 }) => bodySha256)),
    ],
  );
  const seqs = new Map(
    rows.map(({ source, id, seq }) => [eventKey(source, id), seq]),
  );
  for (const record of records) {
    const key = eventKey(record.record.event.source, record.id);
    const seq = seqs.get(key);
    if (seq !== undefined) {
      found.set(record, { record, seq });
      seqs.delete(key);
    }
  }
  return found;
}

/** The bodies decide which of these events are new. Each new one gets an id that is free. */
async function identifyUnsigned(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<Map<NewRecord, IdentifiedEvent>> {
  const found = new Map<NewRecord, IdentifiedEvent>();
  let waiting = (await withNewBodies(tx, records)).map((original) => ({
    original,
    record: original,
  }));
  while (waiting.length > 0) {
    const written = await writeIds(
      tx,
      waiting.map(({ record }) => record),
    );
    for (const { original, record } of waiting) {
      const event = written.get(record);
      if (event !== undefined) {
        found.set(original, event);
      }
    }
    waiting = waiting
      .filter(({ original }) => !found.has(original))
      .map(({ original, record }) => ({
        original,
        record: withNextId(record),
      }));
  }
  await writeBodies(tx, [...found.values()]);
  return found;
}

/** Returns the records whose bodies are not stored in their source, one for each body. */
async function withNewBodies(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<NewRecord[]> {
  const known = await findKnown(tx, records);
  const bodies = new Set<string>();
  return records.filter(({ record, bodySha256 }, i) => {
    const { source } = record.event;
    const key = eventKey(source, bodySha256);
    const isNew =
      !bodies.has(key) && known[i]?.every((event) => event.source !== source);
    bodies.add(key);
    return isNew;
  });
}

function withNextId(record: NewRecord): NewRecord {
  const id = nextId(record.id.toString(), record.bodySha256);
  return { ...record, id: Buffer.from(id) };
}

async function writeBodies(
  tx: Tx,
  events: readonly IdentifiedEvent[],
): Promise<void> {
  if (events.length === 0) {
    return;
  }
  const written = await tx.execute(INSERT_UNSIGNED, [
    textArray(events.map(({ record }) => record.record.event.source)),
    bytesArray(events.map(({ record }) => record.bodySha256)),
    bytesArray(events.map(({ record }) => record.id)),
    int8Array(events.map(({ seq }) => seq)),
  ]);
  if (written !== events.length) {
    // The transaction runs again, and finds the body.
    throw storeError("40001", "another process has just stored the body");
  }
}

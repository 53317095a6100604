import type { Recorded, RecordOutcome } from "../../domain/event.ts";
import { entryOfRecord } from "../record-entry.ts";
import {
  bytesArray,
  int4Array,
  int8Array,
  textArray,
} from "./binary-arrays.ts";
import { type ClaimKey, claimOf, TIMELESS } from "./replay-claims.ts";
import type { Tx } from "./audited-transaction.ts";
import { dayOf } from "./days.ts";
import {
  claimKey,
  deliveryValues,
  eventKey,
  INSERT_EVENTS,
  insertDeliveries,
  type NewRecord,
  newRows,
  recordValues,
} from "./record-values.ts";
import { storeError } from "./store-error.ts";

const insertClaims = (
  table: "replay_claim" | "timeless_claim",
  columns: string,
  condition: string,
) => ({
  name: `claim-${table}`,
  text: `
INSERT INTO ${table} (${columns}, claimed_at)
SELECT ${columns}, claimed_at
FROM unnest($1::bigint[], $2::bytea[], $3::text[], $4::bigint[]) AS c (signed_at, mac, source, claimed_at)
WHERE ${condition} ORDER BY ${columns} COLLATE "C"
ON CONFLICT DO NOTHING RETURNING ${columns}`,
});

const CLAIM = insertClaims(
  "replay_claim",
  "signed_at, mac, source",
  "signed_at >= 0",
);
const CLAIM_TIMELESS = insertClaims(
  "timeless_claim",
  "mac, source",
  "signed_at < 0",
);

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

const SELECT_DIGESTS = {
  name: "digests-of-events",
  text: `
SELECT e.source, e.id, (SELECT body_sha256 FROM event_id WHERE source = e.source AND id = e.id) AS body_sha256
FROM unnest($1::text[], $2::bytea[]) AS e (source, id)`,
};

const STORE = {
  name: "store-events",
  text: `
WITH ${newRows(1, "($11::bigint[])[i]")}, stored AS (
  ${INSERT_EVENTS}
)
${insertDeliveries(12)}`,
};

/**
 * Decides about records of which some are not new, and stores the new ones. Unlike the statement for new events it needs
 * several round trips. A record may have the key of an earlier one in the list. Returns the outcomes.
 */
export async function decideRecords(
  tx: Tx,
  records: readonly NewRecord[],
  clockOffset: number,
): Promise<Recorded[]> {
  const isClaimed = await writeClaims(tx, records);
  const claimed = records.filter((_, i) => isClaimed[i]);
  const seqs = await identify(tx, claimed);
  const accepted = claimed.filter((record) => seqs.has(record));
  await storeEvents(tx, accepted, seqs, clockOffset);
  const digests = await selectDigests(
    tx,
    records.filter((record) => !seqs.has(record)),
  );
  return records.map((record, i) => {
    const key = eventKey(record.record.event.source, record.id);
    const digest = digests.get(key);
    const outcome = seqs.has(record)
      ? "accepted"
      : outcomeOf(isClaimed[i] === true, digest ?? null, record.bodySha256);
    const { bodySha256 } = record;
    const { id } = record.record.event;
    if (outcome !== "replayed" && outcome !== "replayed_conflict") {
      tx.append(entryOfRecord(record.record, outcome, { bodySha256, id }));
    }
    return { outcome, id };
  });
}

/** `stored`: the digest of the stored event with this id; null = it is not stored. */
function outcomeOf(
  isClaimed: boolean,
  stored: Buffer | null,
  bodySha256: Buffer,
): RecordOutcome {
  const isSame = stored?.equals(bodySha256) === true;
  if (!isClaimed) {
    return isSame ? "replayed" : "replayed_conflict";
  }
  if (stored === null) {
    // Its event was deleted just now. The transaction runs again.
    throw storeError("40001", "an event was deleted during a transaction");
  }
  return isSame ? "duplicate" : "conflict";
}

interface ClaimRow {
  readonly mac: Buffer;
  readonly source: string;
  /** Undefined: the claim is timeless. */
  readonly signed_at?: number;
}

/** Writes the claims. Returns for each record whether its claim is new. Of several with one claim, the first one has it. */
async function writeClaims(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<boolean[]> {
  const claims = records.map(({ record }) => claimOf(record));
  const values = [
    int8Array(claims.map(({ signedAt }) => signedAt ?? TIMELESS)),
    bytesArray(claims.map(({ replayKey }) => replayKey)),
    textArray(claims.map(({ source }) => source)),
    int8Array(records.map(({ record }) => record.event.receivedAt)),
  ];
  const written = new Set<string>();
  for (const statement of [CLAIM, CLAIM_TIMELESS]) {
    for (const row of await tx.query<ClaimRow>(statement, values)) {
      const claim: ClaimKey = {
        signedAt: row.signed_at ?? null,
        replayKey: row.mac,
        source: row.source,
      };
      written.add(claimKey(claim));
    }
  }
  return claims.map((claim) => written.delete(claimKey(claim)));
}

/** Writes the ids. Returns the numbers of the events that are new. Of several with one id, the first one is new. */
async function identify(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<Map<NewRecord, number>> {
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
  const found = new Map<NewRecord, number>();
  for (const record of records) {
    const key = eventKey(record.record.event.source, record.id);
    const seq = seqs.get(key);
    if (seq !== undefined) {
      found.set(record, seq);
      seqs.delete(key);
    }
  }
  return found;
}

async function storeEvents(
  tx: Tx,
  records: readonly NewRecord[],
  seqs: ReadonlyMap<NewRecord, number>,
  clockOffset: number,
): Promise<void> {
  if (records.length === 0) {
    return;
  }
  await tx.execute(STORE, [
    ...recordValues(records),
    int8Array(records.map((record) => seqs.get(record) ?? 0)),
    ...deliveryValues(records, clockOffset),
  ]);
  for (const { record } of records) {
    for (const { destination } of record.deliveries) {
      tx.becomesDue(destination);
    }
  }
}

/** Returns the digests of the stored events with the ids of these records. */
async function selectDigests(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<Map<string, Buffer | null>> {
  if (records.length === 0) {
    return new Map();
  }
  const events = records.map(({ record }) => record.event);
  const rows = await tx.query<{
    source: string;
    id: Buffer;
    body_sha256: Buffer | null;
  }>(SELECT_DIGESTS, [
    textArray(events.map(({ source }) => source)),
    bytesArray(records.map(({ id }) => id)),
  ]);
  return new Map(
    rows.map(({ source, id, body_sha256 }) => [
      eventKey(source, id),
      body_sha256,
    ]),
  );
}

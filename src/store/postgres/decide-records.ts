import type { Recorded } from "../../domain/event.ts";
import { entryOfRecord } from "../record-entry.ts";
import type { Tx } from "./audited-transaction.ts";
import { booleanArray, bytesArray, int8Array } from "./binary-arrays.ts";
import { identifyEvents, type IdentifiedEvent } from "./identify-events.ts";
import { findKnown, type KnownEvent } from "./known-events.ts";
import {
  claimKey,
  deliveryValues,
  INSERT_EVENTS,
  insertDeliveries,
  type NewRecord,
  newRows,
  recordValues,
} from "./record-values.ts";
import { TIMELESS } from "./replay-claims.ts";
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
FROM unnest($1::bigint[], $2::bytea[], $3::bigint[]) AS c (signed_at, mac, claimed_at)
WHERE ${condition} ORDER BY ${columns}
ON CONFLICT DO NOTHING RETURNING ${columns}`,
});

const CLAIM = insertClaims("replay_claim", "signed_at, mac", "signed_at >= 0");
const CLAIM_TIMELESS = insertClaims("timeless_claim", "mac", "signed_at < 0");

const STORE = {
  name: "store-events",
  text: `
WITH ${newRows(1, { seq: "($11::bigint[])[i]", idSigned: "($12::boolean[])[i]" })}, stored AS (
  ${INSERT_EVENTS}
)
${insertDeliveries(13)}`,
};

/**
 * Decides about records of which some are not new or have unsigned ids, and stores the new ones. Unlike the statement for new
 * events it needs several round trips. A record may have the key of an earlier one in the list. Returns the outcomes.
 */
export async function decideRecords(
  tx: Tx,
  records: readonly NewRecord[],
  clockOffset: number,
): Promise<Recorded[]> {
  const claims = await writeClaims(tx, records);
  const decided = await decide(tx, records, { claims, clockOffset });
  return records.map((one) => {
    const { outcome, id } = decided.get(one) as Recorded;
    if (outcome !== "replayed" && outcome !== "replayed_conflict") {
      const { bodySha256 } = one;
      tx.append(entryOfRecord(one.record, outcome, { bodySha256, id }));
      tx.recorded();
    }
    return { outcome, id };
  });
}

/** `claims`: the records whose claims are new. */
async function decide(
  tx: Tx,
  records: readonly NewRecord[],
  how: {
    readonly claims: ReadonlySet<NewRecord>;
    readonly clockOffset: number;
  },
): Promise<Map<NewRecord, Recorded>> {
  const { claims } = how;
  const decided = new Map<NewRecord, Recorded>();
  const accepted = await identifyEvents(
    tx,
    records.filter((one) => claims.has(one)),
  );
  await storeEvents(tx, [...accepted.values()], how.clockOffset);
  for (const [one, { record }] of accepted) {
    decided.set(one, { outcome: "accepted", id: record.id.toString() });
  }

  const rest = records.filter((one) => !accepted.has(one));
  const known = await findKnown(tx, rest);
  const unknown: NewRecord[] = [];
  for (const [i, one] of rest.entries()) {
    const outcome = outcomeOf(one, known[i] ?? [], claims.has(one));
    if (outcome === null) {
      unknown.push(one);
    } else {
      decided.set(one, outcome);
    }
  }
  if (unknown.length > 0) {
    // Only a source that is not known to have the same secret has seen these requests. They count as new.
    const again = { ...how, claims: firstOfEachClaim(unknown) };
    for (const [one, outcome] of await decide(tx, unknown, again)) {
      decided.set(one, outcome);
    }
  }
  return decided;
}

/** Returns the outcome for a record that is not accepted; null = its claim is known, but its key is not, which decides. */
function outcomeOf(
  { record: { event, claim }, bodySha256 }: NewRecord,
  known: readonly KnownEvent[],
  isClaimed: boolean,
): Recorded | null {
  const [first] = known;
  const same = known.find((one) => one.bodySha256.equals(bodySha256));
  if (isClaimed) {
    if (first?.source !== event.source) {
      // Its event was deleted just now. The transaction runs again.
      throw storeError("40001", "an event was deleted during a transaction");
    }
    const outcome = same === first ? "duplicate" : "conflict";
    return { outcome, id: first.id.toString() };
  }
  if (first === undefined) {
    return claim.coversKey
      ? null
      : { outcome: "replayed_conflict", id: event.id };
  }
  return same === undefined
    ? { outcome: "replayed_conflict", id: first.id.toString() }
    : { outcome: "replayed", id: same.id.toString() };
}

interface ClaimRow {
  readonly mac: Buffer;
  /** Undefined: the claim is timeless. */
  readonly signed_at?: number;
}

/** Writes the claims. Returns the records whose claims are new. Of several with one claim, the first one has it. */
async function writeClaims(
  tx: Tx,
  records: readonly NewRecord[],
): Promise<ReadonlySet<NewRecord>> {
  const claims = records.map(({ record }) => record.claim);
  const values = [
    int8Array(claims.map(({ signedAt }) => signedAt ?? TIMELESS)),
    bytesArray(claims.map(({ replayKey }) => replayKey)),
    int8Array(records.map(({ record }) => record.event.receivedAt)),
  ];
  const written = new Set<string>();
  for (const statement of [CLAIM, CLAIM_TIMELESS]) {
    for (const row of await tx.query<ClaimRow>(statement, values)) {
      written.add(
        claimKey({ signedAt: row.signed_at ?? null, replayKey: row.mac }),
      );
    }
  }
  return firstOfEachClaim(
    records.filter(({ record }) => written.has(claimKey(record.claim))),
  );
}

function firstOfEachClaim(
  records: readonly NewRecord[],
): ReadonlySet<NewRecord> {
  const seen = new Set<string>();
  return new Set(
    records.filter(({ record }) => {
      const key = claimKey(record.claim);
      return !seen.has(key) && seen.add(key);
    }),
  );
}

async function storeEvents(
  tx: Tx,
  events: readonly IdentifiedEvent[],
  clockOffset: number,
): Promise<void> {
  if (events.length === 0) {
    return;
  }
  const records = events.map(({ record }) => record);
  await tx.execute(STORE, [
    ...recordValues(records),
    int8Array(events.map(({ seq }) => seq)),
    booleanArray(records.map(({ record }) => record.event.idSigned)),
    ...deliveryValues(records, clockOffset),
  ]);
  for (const { record } of records) {
    for (const { destination } of record.deliveries) {
      tx.becomesDue(destination);
    }
  }
}

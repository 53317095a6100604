import { hash as digest } from "node:crypto";
import { entryOfRecord } from "../record-entry.ts";
import type { EventRecord } from "../records.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { Recorded, RecordOutcome } from "../../domain/event.ts";
import { nextId } from "../free-id.ts";
import { asText, type Database, textAsBytes, textBytes } from "./driver.ts";
import type { Order } from "./order.ts";
import type { ReplayClaims } from "./replay-claims.ts";

/** A stored event with the idempotency key of a new message. */
interface ExistingEvent {
  id: Uint8Array;
  body_sha256: Uint8Array;
  mac: Uint8Array;
}

/**
 * Writes claim, event, deliveries and audit entry, inside the caller's transaction. The unique keys decide the outcome. A
 * replay writes nothing, not even an audit entry.
 */
export function createRecorder(
  db: Database,
  deps: {
    order: Order;
    claims: Pick<ReplayClaims, "claim" | "has">;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
    /** Called for each record that is not a replay. */
    recorded: () => void;
  },
): (record: EventRecord) => Recorded {
  const { order, claims } = deps;
  const insertEvent = db.prepare<
    [
      string,
      Buffer,
      Buffer,
      number,
      string,
      string,
      Buffer,
      Buffer,
      Buffer,
      0 | 1,
    ]
  >(
    `INSERT INTO event
       (source, id, type, received_at, content_type, headers, body_sha256, mac, body, id_signed)
     VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`,
  );
  const insertDelivery = db.prepare<
    [number, string, number, string | null, number]
  >(
    `INSERT INTO delivery (event_seq, destination, state, attempt, leased, due_at, order_key, pending_since)
     VALUES (?, ?, 'pending', 0, 0, ?, ?, ?)`,
  );
  const columns = `${textBytes("id")}, body_sha256, mac`;
  const byId = db.prepare<[string, Buffer], ExistingEvent>(
    `SELECT ${columns} FROM event WHERE source = ? AND id = CAST(? AS TEXT)`,
  );
  const byBody = db.prepare<[string, Buffer], ExistingEvent>(
    `SELECT ${columns} FROM event WHERE source = ? AND body_sha256 = ? AND id_signed = 0`,
  );

  /** Decides about a message whose idempotency key is known. Null: neither its source nor one with its secret knows the key. */
  function decideKnown(
    { event, claim }: EventRecord,
    bodySha256: Buffer,
  ): Recorded | null {
    const find = (source: string): ExistingEvent | undefined =>
      event.idSigned
        ? byId.get(source, textAsBytes(event.id))
        : byBody.get(source, bodySha256);
    const own = find(event.source);
    const known = [own, ...claim.sharedWith.map(find)].filter(
      (found) => found !== undefined,
    );
    const as = (outcome: RecordOutcome, found = known[0]): Recorded => ({
      outcome,
      id: found === undefined ? event.id : asText(found.id),
    });

    const same = known.find(({ body_sha256 }) =>
      bodySha256.equals(body_sha256),
    );
    const isFirst = known.some(({ mac }) => claim.replayKey.equals(mac));
    const isClaimed =
      isFirst ||
      (own === undefined
        ? known.length > 0 && claims.has(claim)
        : !claims.claim(claim, event.receivedAt));
    if (isClaimed) {
      return as(same === undefined ? "replayed_conflict" : "replayed", same);
    }
    if (own === undefined) {
      return claim.coversKey || claims.claim(claim, event.receivedAt)
        ? null
        : as("replayed_conflict");
    }
    return as(same === own ? "duplicate" : "conflict", own);
  }

  /** Returns the number of the new event; null = another event of the source has this id. */
  function insertIfFree(
    { event, claim }: EventRecord,
    id: string,
    bodySha256: Buffer,
  ): number | null {
    const inserted = insertEvent.run(
      event.source,
      textAsBytes(id),
      textAsBytes(event.type),
      event.receivedAt,
      event.contentType,
      event.headers,
      bodySha256,
      claim.replayKey,
      event.body,
      event.idSigned ? 1 : 0,
    );
    return inserted.changes === 0 ? null : inserted.lastInsertRowid;
  }

  function addDeliveries(
    { event, deliveries }: EventRecord,
    eventSeq: number,
  ): void {
    for (const { destination, orderKey } of deliveries) {
      insertDelivery.run(
        eventSeq,
        destination,
        order.dueAt({ id: 0, destination, orderKey }, event.receivedAt),
        orderKey,
        event.receivedAt,
      );
      deps.becomesDue(destination);
    }
  }

  function write(record: EventRecord, bodySha256: Buffer): Recorded {
    const { event, claim } = record;
    let { id } = event;
    // Normally the insert alone shows that the event is new.
    let mayBeKnown =
      !event.idSigned || !claim.coversKey || claim.sharedWith.length > 0;
    for (;;) {
      const known = mayBeKnown ? decideKnown(record, bodySha256) : null;
      if (known !== null) {
        return known;
      }
      const seq = insertIfFree(record, id, bodySha256);
      if (seq !== null) {
        addDeliveries(record, seq);
        return { outcome: "accepted", id };
      }
      // A signed id is known, as the insert has shown. Otherwise the event is new under another id.
      mayBeKnown = event.idSigned;
      if (!event.idSigned) {
        id = nextId(id, bodySha256);
      }
    }
  }

  return (record) => {
    const bodySha256 = digest("sha256", record.event.body, "buffer");
    const recorded = write(record, bodySha256);
    const { outcome, id } = recorded;
    if (outcome !== "replayed" && outcome !== "replayed_conflict") {
      deps.append(entryOfRecord(record, outcome, { bodySha256, id }));
      deps.recorded();
    }
    return recorded;
  };
}

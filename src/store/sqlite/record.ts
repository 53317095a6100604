import { hash as digest } from "node:crypto";
import { entryOfRecord } from "../record-entry.ts";
import type { EventRecord } from "../records.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import type { Recorded, RecordOutcome } from "../../domain/event.ts";
import { type Database, textAsBytes } from "./driver.ts";
import type { Order } from "./order.ts";
import type { ReplayClaims } from "./replay-claims.ts";

/** The stored event with the same source and id as a new message. */
interface ExistingEvent {
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
    claims: Pick<ReplayClaims, "claim">;
    append: (entry: AuditDraft) => void;
    becomesDue: (destination: string) => void;
  },
): (record: EventRecord) => Recorded {
  const { order, claims } = deps;
  const insertEvent = db.prepare<
    [string, Buffer, Buffer, number, string, string, Buffer, Buffer, Buffer]
  >(
    `INSERT INTO event
       (source, id, type, received_at, content_type, headers, body_sha256, mac, body)
     VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`,
  );
  const insertDelivery = db.prepare<
    [number, string, number, string | null, number]
  >(
    `INSERT INTO delivery (event_seq, destination, state, attempt, leased, due_at, order_key, pending_since)
     VALUES (?, ?, 'pending', 0, 0, ?, ?, ?)`,
  );
  const selectExisting = db.prepare<[string, Buffer], ExistingEvent>(
    "SELECT body_sha256, mac FROM event WHERE source = ? AND id = CAST(? AS TEXT)",
  );

  function outcomeForExisting(
    { event: { source, id, receivedAt }, claim }: EventRecord,
    bodySha256: Buffer,
  ): RecordOutcome {
    const event = selectExisting.get(source, textAsBytes(id));
    if (event !== undefined && claim.replayKey.equals(event.mac)) {
      return "replayed";
    }
    const sameBody =
      event !== undefined && bodySha256.equals(event.body_sha256);
    if (!claims.claim(claim, source, receivedAt)) {
      return sameBody ? "replayed" : "replayed_conflict";
    }
    return sameBody ? "duplicate" : "conflict";
  }

  function write(record: EventRecord, bodySha256: Buffer): RecordOutcome {
    const { event, deliveries, claim } = record;
    const inserted = insertEvent.run(
      event.source,
      textAsBytes(event.id),
      textAsBytes(event.type),
      event.receivedAt,
      event.contentType,
      event.headers,
      bodySha256,
      claim.replayKey,
      event.body,
    );
    if (inserted.changes === 0) {
      return outcomeForExisting(record, bodySha256);
    }
    for (const { destination, orderKey } of deliveries) {
      insertDelivery.run(
        inserted.lastInsertRowid,
        destination,
        order.dueAt({ id: 0, destination, orderKey }, event.receivedAt),
        orderKey,
        event.receivedAt,
      );
      deps.becomesDue(destination);
    }
    return "accepted";
  }

  return (record) => {
    const bodySha256 = digest("sha256", record.event.body, "buffer");
    const outcome = write(record, bodySha256);
    const { id } = record.event;
    if (outcome !== "replayed" && outcome !== "replayed_conflict") {
      deps.append(entryOfRecord(record, outcome, { bodySha256, id }));
    }
    return { outcome, id };
  };
}

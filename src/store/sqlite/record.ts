import type { EventRecord } from "../records.ts";
import type { RecordOutcome } from "../../domain/event.ts";
import { type Database, textAsBytes } from "./driver.ts";
import type { Order } from "./order.ts";

/** What a scheme that signs no time claims under. */
const TIMELESS = -1;

/** What is known of an event when a message comes with its id again. */
interface KnownEvent {
  body_sha256: Uint8Array;
  mac: Uint8Array;
}

/** Writes claim, event and deliveries inside the caller's transaction and says what the unique keys decided. */
export function createRecorder(
  db: Database,
  order: Order,
): (record: EventRecord) => RecordOutcome {
  const insertEvent = db.prepare<
    [string, Buffer, Buffer, number, string, string, Buffer, Buffer, Buffer]
  >(
    `INSERT INTO event
       (source, id, type, received_at, content_type, headers, body_sha256, mac, body)
     VALUES (?, CAST(? AS TEXT), CAST(? AS TEXT), ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`,
  );
  const insertDelivery = db.prepare<[number, string, number, string | null]>(
    `INSERT INTO delivery (event_seq, destination, state, attempt, leased, due_at, order_key)
     VALUES (?, ?, 'pending', 0, 0, ?, ?)`,
  );
  const known = db.prepare<[string, Buffer], KnownEvent>(
    "SELECT body_sha256, mac FROM event WHERE source = ? AND id = CAST(? AS TEXT)",
  );
  const claim = db.prepare<[number, Buffer, string, number]>(
    "INSERT OR IGNORE INTO replay_claim (signed_at, mac, source, claimed_at) VALUES (?, ?, ?, ?)",
  );

  function outcomeForKnown({
    event: { source, id, receivedAt, bodySha256 },
    claim: { signedAt, mac },
  }: EventRecord): RecordOutcome {
    const event = known.get(source, textAsBytes(id));
    if (event !== undefined && mac.equals(event.mac)) {
      return "replayed";
    }
    const sameBody =
      event !== undefined && bodySha256.equals(event.body_sha256);
    const claimed = claim.run(signedAt ?? TIMELESS, mac, source, receivedAt);
    if (claimed.changes === 0) {
      return sameBody ? "replayed" : "replayed_conflict";
    }
    return sameBody ? "duplicate" : "conflict";
  }

  return (record) => {
    const { event, deliveries, claim: claimed } = record;
    const inserted = insertEvent.run(
      event.source,
      textAsBytes(event.id),
      textAsBytes(event.type),
      event.receivedAt,
      event.contentType,
      event.headers,
      event.bodySha256,
      claimed.mac,
      event.body,
    );
    if (inserted.changes === 0) {
      return outcomeForKnown(record);
    }
    for (const { destination, orderKey } of deliveries) {
      insertDelivery.run(
        inserted.lastInsertRowid,
        destination,
        order.dueAt({ id: 0, destination, orderKey }, event.receivedAt),
        orderKey,
      );
    }
    return "accepted";
  };
}

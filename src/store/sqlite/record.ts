import { type Database } from "better-sqlite3";
import { type RecordOutcome } from "../../core/model.ts";
import { type EventRecord } from "../../core/store.ts";

/** What a scheme that signs no time claims under. */
const TIMELESS = -1;

/** Writes claim, event and deliveries inside the caller's transaction and says what the unique keys decided. */
export function createRecorder(
  db: Database,
): (record: EventRecord) => RecordOutcome {
  const claim = db.prepare<[number, Buffer, string, number]>(
    "INSERT OR IGNORE INTO replay_claim (signed_at, mac, source, claimed_at) VALUES (?, ?, ?, ?)",
  );
  const insertEvent = db.prepare<
    [string, string, string, number, string, string, Buffer, Buffer]
  >(
    `INSERT INTO event (source, id, type, received_at, content_type, headers, body_sha256, body)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (source, id) DO NOTHING`,
  );
  const knownDigest = db
    .prepare<
      [string, string],
      Buffer
    >("SELECT body_sha256 FROM event WHERE source = ? AND id = ?")
    .pluck();
  const insertDelivery = db.prepare<[number | bigint, string, number]>(
    `INSERT INTO delivery (event_seq, destination, state, attempt, leased, due_at)
     VALUES (?, ?, 'pending', 0, 0, ?)`,
  );

  return ({ event, destinations, claim: { signedAt, mac } }) => {
    const { source, id, receivedAt, bodySha256 } = event;
    const claimed = claim.run(signedAt ?? TIMELESS, mac, source, receivedAt);
    if (claimed.changes === 0) {
      return "replayed";
    }
    const inserted = insertEvent.run(
      source,
      id,
      event.type,
      receivedAt,
      event.contentType,
      event.headers,
      bodySha256,
      event.body,
    );
    if (inserted.changes === 0) {
      return knownDigest.get(source, id)?.equals(bodySha256) === true
        ? "duplicate"
        : "conflict";
    }
    for (const destination of destinations) {
      insertDelivery.run(inserted.lastInsertRowid, destination, receivedAt);
    }
    return "accepted";
  };
}

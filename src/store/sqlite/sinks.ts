import type { SavedSink, SinkPosition } from "../records.ts";
import type { Database } from "./driver.ts";

/** Keeps the positions of the sinks. Writes run inside the caller's transaction. */
export function createSinkTable(db: Database, now: () => number) {
  const read = db.prepare<[string], SinkPosition>(
    `SELECT position, sending, degraded_since AS degradedSince
       FROM audit_sink WHERE name = ?`,
  );
  const all = db.prepare<[], SavedSink>(
    "SELECT name, position, saved_at AS savedAt FROM audit_sink",
  );
  const write = db.prepare<[string, number, number, number | null, number]>(
    `INSERT INTO audit_sink (name, position, sending, degraded_since, saved_at)
       VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET
       position = excluded.position, sending = excluded.sending,
       degraded_since = excluded.degraded_since, saved_at = excluded.saved_at`,
  );
  return {
    all: (): SavedSink[] => all.all(),
    read: (name: string): SinkPosition | null => read.get(name) ?? null,
    write(name: string, { position, sending, degradedSince }: SinkPosition) {
      write.run(name, position, sending, degradedSince, now());
    },
  };
}

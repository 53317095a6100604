import { type Database } from "better-sqlite3";
import { type SinkPosition } from "../../core/store.ts";

/** How far the sinks of the trail have come. Written inside the caller's transaction. */
export function createSinkTable(db: Database) {
  const read = db.prepare<[string], SinkPosition>(
    "SELECT position, sending FROM audit_sink WHERE name = ?",
  );
  const write = db.prepare<[string, number, number]>(
    `INSERT INTO audit_sink (name, position, sending) VALUES (?, ?, ?)
     ON CONFLICT (name) DO UPDATE SET position = excluded.position, sending = excluded.sending`,
  );
  return {
    read: (name: string): SinkPosition | null => read.get(name) ?? null,
    write(name: string, { position, sending }: SinkPosition): void {
      write.run(name, position, sending);
    },
  };
}

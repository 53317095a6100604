import { type Database } from "better-sqlite3";
import { type ChainedEntry, type ChainHead } from "../../core/audit-chain.ts";
import { type AuditRow } from "../../core/store.ts";

/** Reading the trail. */
export function createAuditTable(db: Database) {
  const rows = db.prepare<[number, number], AuditRow>(
    "SELECT position, writer, line FROM audit_entry WHERE position > ? ORDER BY position LIMIT ?",
  );
  const heads = db.prepare<[], ChainHead>(
    "SELECT writer, seq, hash FROM audit_writer ORDER BY ordinal DESC",
  );
  const last = db
    .prepare<[], number | null>("SELECT max(position) FROM audit_entry")
    .pluck();
  return {
    lastPosition: (): number => last.get() ?? 0,
    rows: (position: number, limit: number): AuditRow[] =>
      rows.all(position, limit),
    heads: (): ChainHead[] => heads.all(),
  };
}

/** Writing it, inside the caller's transaction. */
export function createAuditWriter(db: Database) {
  const insert = db.prepare<[string, string]>(
    "INSERT INTO audit_entry (writer, line) VALUES (?, ?)",
  );
  const setHead = db.prepare<[string, number, string]>(
    `INSERT INTO audit_writer (writer, seq, hash) VALUES (?, ?, ?)
     ON CONFLICT (writer) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`,
  );
  const head = db.prepare<[string], ChainHead>(
    "SELECT writer, seq, hash FROM audit_writer WHERE writer = ?",
  );
  return {
    insert({ writer, line }: ChainedEntry): void {
      insert.run(writer, line);
    },
    setHead({ writer, seq, hash }: ChainHead): void {
      setHead.run(writer, seq, hash);
    },
    head: (writer: string): ChainHead | undefined => head.get(writer),
  };
}

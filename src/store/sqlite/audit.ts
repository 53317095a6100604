import { type Database } from "better-sqlite3";
import { type ChainedEntry, type ChainHead } from "../../core/audit-chain.ts";
import { type AuditReader, type AuditRow } from "../../core/store.ts";

/** Reading the trail; closing is up to who opened the file. */
export function createAuditReader(db: Database): Omit<AuditReader, "close"> {
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
    lastPosition: async () => last.get() ?? 0,
    readAudit: async (position, limit) => rows.all(position, limit),
    heads: async () => heads.all(),
  };
}

/** Writing it, inside the caller's transaction. */
export function createAuditWriter(db: Database) {
  const insert = db.prepare<[string, string]>(
    "INSERT INTO audit_entry (writer, line) VALUES (?, ?)",
  );
  const insertHead = db.prepare<[string, number, string]>(
    "INSERT INTO audit_writer (writer, seq, hash) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const updateHead = db.prepare<[number, string, string, string]>(
    "UPDATE audit_writer SET seq = ?, hash = ? WHERE writer = ? AND hash = ?",
  );
  const lastLine = db
    .prepare<[string], string>(
      "SELECT line FROM audit_entry WHERE writer = ? ORDER BY position DESC LIMIT 1",
    )
    .pluck();

  /** False, with nothing written, when the head in the file is not the one that this process wrote last. */
  function moveHead(from: ChainHead, to: ChainHead): boolean {
    const { writer, seq, hash } = to;
    const moved =
      from.seq === 0
        ? insertHead.run(writer, seq, hash)
        : updateHead.run(seq, hash, writer, from.hash);
    return moved.changes === 1;
  }

  return {
    insert({ writer, line }: ChainedEntry): void {
      insert.run(writer, line);
    },
    moveHead,
    /** Whether the last line of a writer is the one that ends in this hash. */
    endsIn({ writer, hash }: ChainHead): boolean {
      return lastLine.get(writer)?.endsWith(`"${hash}"}`) === true;
    },
  };
}

import type { Database } from "./driver.ts";
import type { AuditChain, ChainedEntry, ChainHead } from "../../audit/chain.ts";
import type { AuditDraft } from "../../audit/entry.ts";

/** Writes the trail, inside the caller's transaction. */
export interface AuditWriter {
  readonly append: (draft: AuditDraft) => void;
  /** Writes a checkpoint, unless the last entry is already one. */
  readonly checkpoint: () => void;
  /** Replaces the stored head. Returns false and writes nothing if the stored head is not `from`. */
  readonly moveHead: (from: ChainHead, to: ChainHead) => boolean;
  /** Whether the last line of the writer ends with the hash of this head. */
  readonly endsIn: (head: ChainHead) => boolean;
}

export function createAuditWriter(
  db: Database,
  deps: {
    chain: AuditChain;
    now: () => number;
    appended: (position: number, line: string) => void;
  },
): AuditWriter {
  const { chain, now } = deps;
  const insert = db.prepare<[string, string]>(
    "INSERT INTO audit_entry (writer, line) VALUES (?, ?)",
  );
  const insertHead = db.prepare<[string, number, string, number]>(
    "INSERT INTO audit_writer (writer, seq, hash, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
  );
  const updateHead = db.prepare<[number, string, number, string, string]>(
    "UPDATE audit_writer SET seq = ?, hash = ?, seen_at = ? WHERE writer = ? AND hash = ?",
  );
  const lastLine = db.prepare<[string], { line: string }>(
    "SELECT line FROM audit_entry WHERE writer = ? ORDER BY position DESC LIMIT 1",
  );

  function write({ writer, line }: ChainedEntry): void {
    deps.appended(insert.run(writer, line).lastInsertRowid, line);
  }

  function checkpoint(): void {
    const entry = chain.checkpoint(now());
    if (entry !== null) {
      write(entry);
    }
  }

  return {
    append(draft) {
      write(chain.append(draft));
      if (chain.isCheckpointDue()) {
        checkpoint();
      }
    },
    checkpoint,
    moveHead(from, { writer, seq, hash }) {
      const moved =
        from.seq === 0
          ? insertHead.run(writer, seq, hash, now())
          : updateHead.run(seq, hash, now(), writer, from.hash);
      return moved.changes === 1;
    },
    endsIn: ({ writer, hash }) =>
      lastLine.get(writer)?.line.endsWith(`"${hash}"}`) === true,
  };
}

import type { ChainHead } from "../../audit/chain.ts";
import type { TrailLookup } from "../../audit/retention-proof.ts";
import type { Database } from "./driver.ts";

/** As the index `audit_entry_place` says it, so that SQLite uses it. */
const IS_START_OR_CHECKPOINT =
  "substr(line, 51, 14) IN ('server.started', 'audit.checkpoi')";

/** A start names some 60 writers at most. */
const MAX_LATER = 100;

/** Positions that are searched for the entries after a checkpoint: more than a writer has there, with others between them. */
const MAX_TAIL = 5000;

/** The same after an entry about a deletion: its checkpoint is in the same transaction. */
const MAX_REPORT = 100;

/** What a proof of old entries asks, inside the caller's transaction. */
export function createTrailLookup(db: Database): TrailLookup {
  const starts = db.prepare<[string], { line: string }>(
    `SELECT line FROM audit_entry WHERE writer = ? AND ${IS_START_OR_CHECKPOINT} ORDER BY position LIMIT 2`,
  );
  const lastCheckpoint = db.prepare<[string], { position: number }>(
    `SELECT position FROM audit_entry WHERE writer = ? AND ${IS_START_OR_CHECKPOINT} ORDER BY position DESC LIMIT 1`,
  );
  const from = db.prepare<[string, number, number], { line: string }>(
    "SELECT line FROM audit_entry WHERE +writer = ? AND position BETWEEN ? AND ? ORDER BY position",
  );
  const head = db.prepare<[string], ChainHead>(
    "SELECT writer, seq, hash FROM audit_writer WHERE writer = ?",
  );
  const later = db.prepare<[string, number], { writer: string }>(
    `SELECT writer FROM audit_writer
     WHERE ordinal > (SELECT ordinal FROM audit_writer WHERE writer = ?) ORDER BY ordinal LIMIT ?`,
  );
  const report = db.prepare<[string], { writer: string; position: number }>(
    `SELECT writer, position FROM audit_entry
     WHERE position = (SELECT purged_told FROM audit_writer WHERE writer = ?)`,
  );

  /** The entries of a writer from a position on; what is far from it is left out. */
  function linesFrom(writer: string, position: number, max: number): string[] {
    return from.all(writer, position, position + max).map(({ line }) => line);
  }

  return {
    startLines: (writer) => starts.all(writer).map(({ line }) => line),
    endLines(writer) {
      const checkpoint = lastCheckpoint.get(writer);
      return checkpoint === undefined
        ? []
        : linesFrom(writer, checkpoint.position, MAX_TAIL);
    },
    head: (writer) => head.get(writer),
    writersAfter: (writer) =>
      later.all(writer, MAX_LATER).map((one) => one.writer),
    reportLines(writer) {
      const found = report.get(writer);
      return found === undefined
        ? []
        : linesFrom(found.writer, found.position, MAX_REPORT);
    },
  };
}

import type { ChainHead } from "../../audit/chain.ts";
import type { TrailLookup } from "../../audit/retention-proof.ts";
import type { Database } from "./driver.ts";
import {
  IS_START_OR_CHECKPOINT,
  MAX_LATER,
  MAX_REPORT,
  MAX_TAIL,
} from "../trail-lookup.ts";

/** Reads the entries and heads that the proof of old entries needs, inside the caller's transaction. */
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

  /** Returns a writer's entries from a position up to `max` positions after it. */
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
      later.all(writer, MAX_LATER).map((row) => row.writer),
    reportLines(writer) {
      const found = report.get(writer);
      return found === undefined
        ? []
        : linesFrom(found.writer, found.position, MAX_REPORT);
    },
  };
}

import type { AuditChain, ChainHead } from "../../audit/chain.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import { textArray } from "./binary-arrays.ts";
import { dayOf } from "./days.ts";

/** Collects the lines of the transaction in progress. They are written at its end. */
export interface AuditWriter {
  readonly append: (draft: AuditDraft) => void;
  /** Adds a checkpoint, unless the last entry is already one. */
  readonly checkpoint: () => void;
  readonly lines: () => readonly string[];
  /** The last entry, including those of the transaction in progress. */
  readonly head: () => ChainHead;
  /** Forgets the lines. */
  readonly clear: () => void;
}

export function createAuditWriter(
  chain: AuditChain,
  now: () => number,
): AuditWriter {
  let lines: string[] = [];

  function checkpoint(): void {
    const entry = chain.checkpoint(now());
    if (entry !== null) {
      lines.push(entry.line);
    }
  }

  return {
    append(draft) {
      lines.push(chain.append(draft).line);
      if (chain.isCheckpointDue()) {
        checkpoint();
      }
    },
    checkpoint,
    lines: () => lines,
    head: () => chain.head(),
    clear() {
      lines = [];
    },
  };
}

/** What the row of this writer must contain, so that a transaction may commit. */
export interface HeldRow {
  readonly fence: number;
  /**
   * The hash that was written into the row from outside; null = the row has the hash of the last entry. Such a row is not
   * changed any more, so that an auditor finds it.
   */
  readonly foreignHash: string | null;
}

/** The parameters $1 to $8 of every statement that writes lines. */
export interface LineValues {
  /** The head before and after the lines. */
  readonly from: ChainHead;
  readonly to: ChainHead;
  readonly row: HeldRow;
  /** Unix milliseconds, by this process's clock. */
  readonly at: number;
  readonly lines: readonly string[];
}

export function lineValues(values: LineValues): unknown[] {
  const { from, to, row, at, lines } = values;
  return [
    to.writer,
    row.fence,
    from.seq,
    row.foreignHash ?? from.hash,
    row.foreignHash ?? to.hash,
    at,
    dayOf(at),
    textArray(lines),
  ];
}

/**
 * The parts of a statement that write lines and move the head. `given`: a condition; unless it holds, nothing is written.
 */
export const writeLines = (given: string): string => `
written AS (
  INSERT INTO audit_entry (day, position, writer, seq, line)
  SELECT $7::int, nextval('audit_position'), $1::text, $3::bigint + l.i, l.line
  FROM unnest($8::text[]) WITH ORDINALITY AS l (line, i) WHERE ${given}
  RETURNING position
), moved AS (
  UPDATE audit_writer SET seq = CASE WHEN $4::text = $5::text THEN seq ELSE $3::bigint + cardinality($8::text[]) END,
    hash = $5, seen_at = $6::bigint
  WHERE writer = $1 AND fence = $2::int AND hash = $4 AND ${given}
  RETURNING 1
)`;

/** The positions of the written lines, in order: a list with commas. */
export const POSITIONS =
  "(SELECT string_agg(position::text, ',') FROM written) AS positions";

/** Writes only lines. */
export const WRITE_LINES = {
  name: "write-lines",
  text: `
WITH ${writeLines("true")}
SELECT ${POSITIONS}, hexhook_require(EXISTS (SELECT FROM moved), 'HX002')`,
};

/** Parses the column `positions`. They increase in the order of the lines. */
export function parsePositions(positions: string | null): number[] {
  return (positions ?? "")
    .split(",")
    .map(Number)
    .sort((a, b) => a - b);
}

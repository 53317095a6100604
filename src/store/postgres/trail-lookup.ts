import type { ChainHead } from "../../audit/chain.ts";
import { hasAction } from "../../audit/entry.ts";
import { parseEntry } from "../../audit/parsed-entry.ts";
import {
  reportedHeads,
  type TrailLookup,
} from "../../audit/retention-proof.ts";
import {
  IS_START_OR_CHECKPOINT,
  MAX_LATER,
  MAX_REPORT,
  MAX_TAIL,
} from "../trail-lookup.ts";
import type { Sql } from "./sql.ts";

const STARTS = {
  name: "starts-of-writer",
  text: `SELECT line FROM audit_entry WHERE writer = $1 AND ${IS_START_OR_CHECKPOINT} ORDER BY position LIMIT 2`,
};

const END = {
  name: "end-of-writer",
  text: `
SELECT line FROM audit_entry WHERE writer = $1 AND position >= (
  SELECT position FROM audit_entry WHERE writer = $1 AND ${IS_START_OR_CHECKPOINT} ORDER BY position DESC LIMIT 1)
ORDER BY position LIMIT ${MAX_TAIL}`,
};

const HEAD = {
  name: "head-of-writer",
  text: "SELECT writer, seq, hash FROM audit_writer WHERE writer = $1",
};

const LATER = {
  name: "later-writers",
  text: `
SELECT writer FROM audit_writer WHERE ordinal > (SELECT ordinal FROM audit_writer WHERE writer = $1)
ORDER BY ordinal LIMIT ${MAX_LATER}`,
};

const REPORT = {
  name: "report-of-writer",
  text: `
SELECT e.line FROM audit_writer w JOIN audit_entry e ON e.writer = w.purged_by AND e.position > w.purged_told
WHERE w.writer = $1 ORDER BY e.position LIMIT ${MAX_REPORT}`,
};

const ENDED = {
  name: "has-writer-ended",
  text: "SELECT 1 FROM audit_writer WHERE writer = $1 AND seq = $2 AND seen_at < $3",
};

/** What a plan of the retention reads. */
export interface PlanLookup extends TrailLookup {
  /** Whether a writer has ended with this entry, before `before` (unix milliseconds). */
  readonly hasEnded: (head: ChainHead, before: number) => boolean;
}

/**
 * Runs `plan`, which is synchronous, as often as needed: what a run has looked up and is not known yet is read before the
 * next run. A run with unknown facts takes them for empty, and its result is dropped.
 */
export async function withTrailLookup<T>(
  sql: Sql,
  plan: (lookup: PlanLookup) => T,
): Promise<T> {
  const known = new Map<string, readonly string[] | ChainHead | boolean>();
  let missing = new Map<string, () => Promise<void>>();

  /** Returns a known fact, or notes how to read it. */
  function fact<Value extends readonly string[] | ChainHead | boolean>(
    key: string,
    unknown: Value,
    read: () => Promise<Value>,
  ): Value {
    const value = known.get(key);
    if (value === undefined) {
      missing.set(key, async () => {
        known.set(key, await read());
      });
      return unknown;
    }
    return value as Value;
  }

  const none: readonly string[] = [];
  const noHead: ChainHead = { writer: "", seq: 0, hash: "" };

  const linesOf = async (
    statement: typeof STARTS,
    writer: string,
  ): Promise<readonly string[]> => {
    const rows = await sql.query<{ line: string }>(statement, [writer]);
    return rows.map(({ line }) => line);
  };

  const lookup: PlanLookup = {
    startLines: (writer) =>
      fact(`start ${writer}`, none, () => linesOf(STARTS, writer)),
    endLines: (writer) =>
      fact(`end ${writer}`, none, () => linesOf(END, writer)),
    head(writer) {
      const head = fact(`head ${writer}`, noHead, async () => {
        const [row] = await sql.query<ChainHead>(HEAD, [writer]);
        return row ?? noHead;
      });
      return head.writer === "" ? undefined : head;
    },
    writersAfter: (writer) =>
      fact(`after ${writer}`, none, async () => {
        const rows = await sql.query<{ writer: string }>(LATER, [writer]);
        return rows.map((row) => row.writer);
      }),
    reportLines: (writer) =>
      fact(`report ${writer}`, none, async () =>
        fromReportOf(writer, await linesOf(REPORT, writer)),
      ),
    hasEnded: ({ writer, seq }, before) =>
      fact(`ended ${writer} ${seq}`, false, async () => {
        const rows = await sql.query(ENDED, [writer, seq, before]);
        return rows.length > 0;
      }),
  };

  for (;;) {
    missing = new Map();
    const result = plan(lookup);
    if (missing.size === 0) {
      return result;
    }
    for (const read of missing.values()) {
      await read();
    }
  }
}

/** Returns the entries from the one that reports a deletion of this writer's entries. */
function fromReportOf(
  writer: string,
  lines: readonly string[],
): readonly string[] {
  const first = lines.findIndex((line) => {
    const entry = hasAction(line, "retention.purged") ? parseEntry(line) : null;
    return (
      entry !== null &&
      reportedHeads(entry).some(
        (head) => (head as Partial<ChainHead> | null)?.writer === writer,
      )
    );
  });
  return first === -1 ? [] : lines.slice(first);
}

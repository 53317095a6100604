import type { AuditDraft } from "../../audit/entry.ts";
import type { FailedAttempt } from "../../domain/delivery.ts";
import type { CommitChanges } from "../commits.ts";
import {
  type AuditWriter,
  lineValues,
  parsePositions,
  WRITE_LINES,
} from "./audit-writer.ts";
import { dayOf } from "./days.ts";
import type { Partitions } from "./partitions.ts";
import { commit } from "./connection.ts";
import type { LaneSession } from "./lane-session.ts";
import type { Attempt } from "./lane-transaction.ts";
import type { Sql } from "./sql.ts";

/** A transaction in progress. Its statements see its earlier changes. The isolation level is READ COMMITTED. */
export interface Tx extends Sql {
  /** Adds an entry to the chain of this process. It is written before the commit. */
  readonly append: (draft: AuditDraft) => void;
  /** Adds a checkpoint, unless the last entry is already one. */
  readonly checkpoint: () => void;
  /** Deliveries to this destination may be due after the commit. */
  readonly becomesDue: (destination: string) => void;
  /** The store itself exhausted a delivery. */
  readonly exhausted: (failed: FailedAttempt) => void;
  /** A record was written. */
  readonly recorded: () => void;
}

/**
 * Runs `work` in a transaction of several statements, writes the lines of its entries at the end, and commits. Returns the
 * positions of the lines.
 */
export type AuditedTransaction = <Result>(
  attempt: Attempt<Result>,
  work: (tx: Tx) => Promise<readonly Result[]>,
) => Promise<readonly number[]>;

export function createAuditedTransaction(deps: {
  readonly session: Pick<LaneSession, "row">;
  readonly audit: AuditWriter;
  readonly changes: Pick<
    CommitChanges,
    "becomesDue" | "exhausted" | "recorded"
  >;
  readonly partitions: Pick<Partitions, "ensure">;
}): AuditedTransaction {
  const { session, audit, changes, partitions } = deps;

  async function writeLines<Result>({
    connection,
    from,
    at,
  }: Attempt<Result>): Promise<readonly number[]> {
    const lines = audit.lines();
    if (lines.length === 0) {
      return [];
    }
    const [row] = await connection.query<{ positions: string }>(
      WRITE_LINES,
      lineValues({ from, to: audit.head(), row: session.row(), at, lines }),
    );
    return parsePositions(row?.positions ?? null);
  }

  return async (attempt, work) => {
    const { connection } = attempt;
    await partitions.ensure("audit_entry", [dayOf(attempt.at)]);
    await connection.command("BEGIN");
    const results = await work({
      query: connection.query,
      execute: connection.execute,
      append: audit.append,
      checkpoint: audit.checkpoint,
      becomesDue: changes.becomesDue,
      exhausted: changes.exhausted,
      recorded: changes.recorded,
    });
    const positions = await writeLines(attempt);
    attempt.commits(results);
    await commit(connection);
    return positions;
  };
}

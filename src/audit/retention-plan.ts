import type { ChainHead, EntryPlace } from "./chain.ts";
import { timeOfLine } from "./entry.ts";
import type { Proof } from "./retention-proof.ts";
import { placeOfLine, type StoredEntry } from "./stored-entry.ts";

/*
 * Plans which old entries of a trail may be deleted. The remaining entries of a writer must begin with a checkpoint. It
 * contains the hash of the entry before it, so that the remaining entries can still be verified. All entries of an ended
 * writer may be deleted.
 */

/** The entries of one writer that may be deleted, in order. */
export interface Deletable {
  readonly entries: readonly StoredEntry[];
  /** How many of them a signature covers, counted from the first. */
  readonly signed: number;
  /** The last of these entries. The audit entry about the deletion names it. */
  readonly head: ChainHead;
}

export interface RetentionPlan {
  readonly deletable: readonly Deletable[];
  /** Writers whose later entries must stay too, because some of their earlier entries stay. */
  readonly blocked: readonly string[];
  /** The first entry of each writer that was changed after it was written. */
  readonly changed: readonly EntryPlace[];
  /**
   * Returns the position after which the next step resumes. It starts with the entries that stayed, because they may be
   * deletable together with the entries after them. Null: no old entry follows.
   */
  readonly next: (deleted: readonly Deletable[]) => number | null;
}

/**
 * Plans one step over `rows`, which are in order. Entries before `before` are old; `before` and `now` are unix milliseconds.
 * `hasMore`: entries after `rows` exist. `hasEnded`: whether a writer has ended with this entry. `blocked`: the writers whose
 * entries must stay.
 */
export function planRetention(
  rows: readonly StoredEntry[],
  facts: {
    readonly before: number;
    readonly now: number;
    readonly hasMore: boolean;
    readonly blocked: ReadonlySet<string>;
    readonly hasEnded: (head: ChainHead) => boolean;
    readonly prove: (
      entries: readonly StoredEntry[],
      hasEnded: boolean,
    ) => Proof;
  },
): RetentionPlan {
  const { hasEnded, prove } = facts;
  const { old, fromTheFuture, last } = oldEntries(rows, facts);
  const deletable: Deletable[] = [];
  const changed: EntryPlace[] = [];
  const blocked = new Set(fromTheFuture);
  for (const [writer, entries] of old) {
    const proof = prove(entries, hasEnded(placeOfLast(entries)));
    if (proof.verdict === "proven") {
      const { count, signed } = proof;
      const removed = entries.slice(0, count);
      deletable.push({ entries: removed, signed, head: placeOfLast(removed) });
    } else if (proof.verdict !== "incomplete") {
      blocked.add(writer);
    }
    if (proof.verdict === "changed") {
      changed.push({ writer, seq: proof.seq });
    }
  }
  return {
    deletable,
    blocked: [...blocked],
    changed,
    next(deleted) {
      if (last === null) {
        return null;
      }
      const kept = [...old].flatMap(([writer, entries]) => {
        const removed = deleted.find(({ head }) => head.writer === writer);
        const first = entries[removed?.entries.length ?? 0];
        return first === undefined || blocked.has(writer)
          ? []
          : [first.position - 1];
      });
      return Math.min(last, ...kept);
    },
  };
}

/** Returns the old entries of each writer. `last`: the last position that was checked; null = no old entry follows. */
function oldEntries(
  rows: readonly StoredEntry[],
  facts: {
    readonly before: number;
    readonly now: number;
    readonly hasMore: boolean;
    readonly blocked: ReadonlySet<string>;
  },
): {
  old: Map<string, StoredEntry[]>;
  fromTheFuture: Set<string>;
  last: number | null;
} {
  const { before, now, hasMore, blocked } = facts;
  const old = new Map<string, StoredEntry[]>();
  const fromTheFuture = new Set<string>();
  for (const row of rows) {
    const at = timeOfLine(row.line);
    if (at >= before && at <= now) {
      return { old, fromTheFuture, last: null };
    }
    if (at >= before) {
      // The clock was wrong, so entries after this one can be old. This entry stays, so all later entries of its writer must
      // stay too.
      fromTheFuture.add(row.writer);
    } else if (!fromTheFuture.has(row.writer) && !blocked.has(row.writer)) {
      const entries = old.get(row.writer) ?? [];
      old.set(row.writer, entries);
      entries.push(row);
    }
  }
  const last = hasMore ? (rows.at(-1)?.position ?? null) : null;
  return { old, fromTheFuture, last };
}

function placeOfLast(entries: readonly StoredEntry[]): ChainHead {
  const { writer, seq, hash } = placeOfLine(entries.at(-1)?.line ?? "");
  return { writer, seq, hash };
}

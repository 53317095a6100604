import { type ChainHead } from "../core/audit-chain.ts";
import { type ParsedEntry } from "../core/parsed-entry.ts";
import { type WriterChain } from "./writer-chain.ts";

/** What an entry states of another writer's chain. It is worth as much as that entry. */
export interface Statement extends ChainHead {
  readonly by: WriterChain;
  readonly bySeq: number;
}

/** What entries that are in their place state of other writers. */
export interface Statements {
  /** Keeps what an entry states; gives the heads that it names, if it is a start. */
  readonly learnFrom: (
    entry: ParsedEntry,
    by: WriterChain,
  ) => readonly Statement[];
  /** The furthest head that a start names of each writer. */
  readonly heads: () => Iterable<Statement>;
  /** Whether the retention vouches, under a checkpoint, for the writer's entries up to this one being gone. */
  readonly isPurged: (writer: string, seq: number) => boolean;
  /** The hash of the last entry that is gone, as the retention states it. */
  readonly purgedHash: (writer: string) => string | undefined;
  /** Whether a start states that the writer's entries begin with this one in the sinks of its process. */
  readonly mayBeginAt: (writer: string, seq: number) => boolean;
  /** Whether a start states that sinks may be given this one for the second time. */
  readonly mayComeTwice: (writer: string, seq: number) => boolean;
}

export function createStatements(): Statements {
  const named = new Map<string, Statement>();
  const purged = new Map<string, Statement>();
  const resumed = new Map<string, number[]>();
  const beside = new Map<string, number[]>();

  function statementsIn(value: unknown, by: WriterChain): readonly Statement[] {
    return headsIn(value).map((head) => ({ ...head, by, bySeq: by.seq }));
  }

  return {
    learnFrom({ action, metadata }, by) {
      if (action === "retention.purged") {
        for (const statement of statementsIn(metadata["writers"], by)) {
          purged.set(statement.writer, statement);
        }
      }
      if (action !== "server.started") {
        return [];
      }
      collect(resumed, metadata["resumed"]);
      collect(beside, metadata["beside"]);
      const heads = statementsIn(metadata["heads"], by);
      for (const head of heads) {
        if (head.seq > (named.get(head.writer)?.seq ?? 0)) {
          named.set(head.writer, head);
        }
      }
      return heads;
    },
    heads: () => named.values(),
    isPurged: (writer, seq) => {
      const statement = purged.get(writer);
      return (
        statement !== undefined &&
        statement.bySeq <= statement.by.anchoredTo &&
        seq <= statement.seq
      );
    },
    purgedHash: (writer) => purged.get(writer)?.hash,
    mayBeginAt: (writer, seq) =>
      [resumed, beside].some((from) => from.get(writer)?.includes(seq)),
    mayComeTwice: (writer, seq) =>
      resumed.get(writer)?.some((from) => from <= seq) === true,
  };
}

/** Adds the numbers that an entry names, each once, by writer. */
function collect(numbers: Map<string, number[]>, value: unknown): void {
  for (const { writer, seq } of headsIn(value)) {
    const known = numbers.get(writer) ?? [];
    numbers.set(writer, known.includes(seq) ? known : [...known, seq]);
  }
}

/** A list of heads out of an entry; what is none is left out. */
function headsIn(value: unknown): ChainHead[] {
  return Array.isArray(value)
    ? (value as (Partial<ChainHead> | null)[]).flatMap((head) =>
        typeof head?.writer === "string" && Number.isSafeInteger(head.seq)
          ? {
              writer: head.writer,
              seq: Number(head.seq),
              hash: String(head.hash),
            }
          : [],
      )
    : [];
}

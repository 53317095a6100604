import type { ChainHead, EntryPlace } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { Reprint } from "./reprints.ts";
import type { LateBeginning, WriterChain } from "./writer-chain.ts";

/** A head that a start names, and how far its writer had come in these lines by then. */
export interface NamedHead extends ChainHead {
  readonly reached: number;
}

/**
 * What entries state of other writers. An entry that nothing signed vouches for may come from anybody, so what it states
 * counts only with the checkpoint right behind it, which is linked to it. There always is one: it is written together with
 * the entry.
 */
export interface Statements {
  /** Keeps what an entry states that is in its place, if it states anything, until the next one of its writer. */
  readonly hear: (entry: ParsedEntry, by: WriterChain) => void;
  /** What stands right before a checkpoint that is well signed counts; gives the heads of each start there, newest first. */
  readonly credit: (
    checkpoint: ParsedEntry,
    by: WriterChain,
  ) => readonly (readonly NamedHead[])[];
  /** The furthest head that a start names of each writer. */
  readonly heads: () => Iterable<ChainHead>;
  /** The furthest entry of the writer that a start names; 0 = none. */
  readonly namedUpTo: (writer: string) => number;
  /** Whether the retention says that the writer's entries up to this one are gone. */
  readonly isPurged: (writer: string, seq: number) => boolean;
  /** The last entry of the writer that is gone, as the retention states it. */
  readonly purged: (writer: string) => ChainHead | undefined;
  /** Whether the retention says that everything of the writer before this beginning is gone. */
  readonly isPurgedUpTo: (writer: string, beginning: LateBeginning) => boolean;
  /** Whether a start with which these lines begin says that the writer may begin with this entry. */
  readonly mayBegin: (writer: string, seq: number) => boolean;
}

/** Of one entry, before it counts. */
interface Statement {
  /** Of the entry that states it. */
  readonly hash: string;
  readonly heads: readonly NamedHead[];
  readonly purged: readonly ChainHead[];
  readonly beginnings: readonly EntryPlace[];
  readonly reprints: readonly Reprint[];
}

/** More than any process writes in a row before a checkpoint; what is more comes of no process. */
const MAX_WAITING = 2000;

/** `chains`: what was read of each writer so far. */
export function createStatements(
  chains: ReadonlyMap<string, WriterChain>,
): Statements {
  /** In a row, each linked to the one before. */
  const waiting = new Map<WriterChain, Statement[]>();
  let waitingCount = 0;
  const named = new Map<string, ChainHead>();
  const purged = new Map<string, ChainHead>();
  const beginnings = new Map<string, Set<number>>();

  function heardAtStart(
    { metadata }: ParsedEntry,
    by: WriterChain,
  ): Omit<Statement, "hash" | "purged"> {
    const heads = headsIn(metadata["heads"]).map((head) => ({
      ...head,
      reached: chains.get(head.writer)?.seq ?? 0,
    }));
    const resumed = headsIn(metadata["resumed"]);
    const late = [...resumed, ...headsIn(metadata["beside"])];
    return {
      heads,
      beginnings: isBeginning(late, by) ? late : [],
      reprints: resumed.flatMap(
        ({ writer, seq }) => chains.get(writer)?.reprints.from(seq) ?? [],
      ),
    };
  }

  /**
   * Whether the lines begin with what a start says that they may begin with: the output of its process does. Those that
   * begin later on may be whole.
   */
  function isBeginning(
    late: readonly EntryPlace[],
    start: WriterChain,
  ): boolean {
    let first = true;
    for (const chain of chains.values()) {
      const isNamed = late.some(
        ({ writer, seq }) => writer === chain.writer && seq === chain.firstSeq,
      );
      const isWhole = !first && chain.firstSeq === 1;
      if (chain !== start && !isNamed && !isWhole) {
        return false;
      }
      first = false;
    }
    return true;
  }

  function keep(statement: Statement, prev: string, by: WriterChain): void {
    if (waitingCount >= MAX_WAITING) {
      waiting.clear();
      waitingCount = 0;
    }
    const before = waiting.get(by);
    if (before?.at(-1)?.hash === prev) {
      before.push(statement);
    } else {
      drop(by);
      waiting.set(by, [statement]);
    }
    waitingCount += 1;
  }

  /** Gives what waited. */
  function drop(by: WriterChain): readonly Statement[] {
    const dropped = waiting.get(by) ?? [];
    waiting.delete(by);
    waitingCount -= dropped.length;
    return dropped;
  }

  function count(statement: Statement): void {
    for (const head of statement.heads) {
      if (head.seq > (named.get(head.writer)?.seq ?? 0)) {
        named.set(head.writer, head);
      }
    }
    for (const head of statement.purged) {
      purged.set(head.writer, head);
    }
    for (const { writer, seq } of statement.beginnings) {
      const known = beginnings.get(writer) ?? new Set<number>();
      beginnings.set(writer, known.add(seq));
    }
    for (const reprint of statement.reprints) {
      reprint.told = true;
    }
  }

  const isPurged = (writer: string, seq: number): boolean =>
    seq <= (purged.get(writer)?.seq ?? 0);

  return {
    hear(entry, by) {
      const { action, metadata, chain, hash } = entry;
      if (action === "server.started" && chain.seq === 1) {
        const said = heardAtStart(entry, by);
        keep({ ...said, purged: [], hash }, chain.prev, by);
      } else if (action === "retention.purged") {
        const purged = headsIn(metadata["writers"]);
        const said = { heads: [], beginnings: [], reprints: [], purged, hash };
        keep(said, chain.prev, by);
      } else if (action !== "audit.checkpoint") {
        drop(by);
      }
    },
    credit(checkpoint, by) {
      const heard = drop(by);
      if (heard.at(-1)?.hash !== checkpoint.chain.prev) {
        return [];
      }
      heard.forEach(count);
      return heard.map(({ heads }) => heads);
    },
    heads: () => named.values(),
    namedUpTo: (writer) => named.get(writer)?.seq ?? 0,
    isPurged,
    purged: (writer) => purged.get(writer),
    isPurgedUpTo: (writer, { next, prev }) =>
      isPurged(writer, next - 1) && purged.get(writer)?.hash === prev,
    mayBegin: (writer, seq) => beginnings.get(writer)?.has(seq) === true,
  };
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

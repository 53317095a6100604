import type { ChainHead } from "../core/audit-chain.ts";
import type { ParsedEntry } from "../core/parsed-entry.ts";
import type { Reprint } from "./reprints.ts";
import type { LateBeginning, WriterChain } from "./writer-chain.ts";

/** A head that a start names, and how far its writer had come in these lines by then. */
export interface NamedHead extends ChainHead {
  readonly reached: number;
}

/**
 * What entries state of other writers. An entry that nothing signed vouches for may come from anybody, so what it states
 * waits until a checkpoint does, and counts from then on.
 */
export interface Statements {
  /** Keeps what an entry states that is in its place. */
  readonly hear: (entry: ParsedEntry, by: WriterChain) => void;
  /** What this writer has stated counts, as far as it is vouched for now; gives the heads of each of its starts, newest first. */
  readonly credit: (by: WriterChain) => readonly (readonly NamedHead[])[];
  /** The furthest head that a start names of each writer. */
  readonly heads: () => Iterable<ChainHead>;
  readonly isNamed: (writer: string) => boolean;
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
  readonly bySeq: number;
  readonly heads: readonly NamedHead[];
  readonly purged: readonly ChainHead[];
  readonly beginnings: readonly Place[];
  readonly reprints: readonly Reprint[];
}

type Place = Pick<ChainHead, "writer" | "seq">;

/** `chains`: what was read of each writer so far. */
export function createStatements(
  chains: ReadonlyMap<string, WriterChain>,
): Statements {
  const waiting = new Map<WriterChain, Statement[]>();
  const named = new Map<string, ChainHead>();
  const purged = new Map<string, ChainHead>();
  const beginnings = new Map<string, Set<number>>();

  function heardAtStart(
    { metadata }: ParsedEntry,
    by: WriterChain,
  ): Omit<Statement, "bySeq" | "purged"> {
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

  /** Whether the lines begin with what a start says that they may begin with: the output of its process does. */
  function isBeginning(late: readonly Place[], start: WriterChain): boolean {
    for (const chain of chains.values()) {
      const isLate = late.some(
        ({ writer, seq }) => writer === chain.writer && seq === chain.firstSeq,
      );
      if (chain !== start && !isLate) {
        return false;
      }
    }
    return true;
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
      const { action, metadata, chain } = entry;
      const bySeq = chain.seq;
      const wait = (statement: Statement): void => {
        waiting.set(by, [...(waiting.get(by) ?? []), statement]);
      };
      if (action === "server.started" && bySeq === 1) {
        wait({ ...heardAtStart(entry, by), purged: [], bySeq });
      } else if (action === "retention.purged") {
        const gone = headsIn(metadata["writers"]);
        wait({ heads: [], beginnings: [], reprints: [], purged: gone, bySeq });
      }
    },
    credit(by) {
      const heard = waiting.get(by) ?? [];
      const isVouchedFor = ({ bySeq }: Statement): boolean =>
        bySeq <= by.anchoredTo;
      const credited = heard.filter(isVouchedFor);
      if (credited.length > 0) {
        waiting.set(
          by,
          heard.filter((statement) => !isVouchedFor(statement)),
        );
        credited.forEach(count);
      }
      return credited.map(({ heads }) => heads);
    },
    heads: () => named.values(),
    isNamed: (writer) => named.has(writer),
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

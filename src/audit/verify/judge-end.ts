import type { ChainHead } from "../chain.ts";
import { expectedAnchors } from "./anchors.ts";
import type { ExpectedEntries } from "./expected-entries.ts";
import type { Statements } from "./statements.ts";
import type { TrailReport } from "./trail-report.ts";
import type { WriterChain } from "./writer-chain.ts";

/** A trail after all its lines were read. */
interface ReadTrail {
  readonly chains: ReadonlyMap<string, WriterChain>;
  /** Returns the chain of a writer. An absent writer gets an empty one. */
  readonly chainOf: (writer: string) => WriterChain;
  readonly statements: Statements;
  readonly expected: ExpectedEntries;
  /** Absent writers that a start names between two present ones. */
  readonly skippedOver: ReadonlySet<string>;
  /** Accepts a writer's statements up to this entry. `isNamed`: because a start names the entry. */
  readonly acceptStatements: (
    chain: WriterChain,
    upTo: number,
    isNamed: boolean,
  ) => void;
}

/**
 * Facts that do not come from the lines. `storedHeads`: the heads table of a store. If it is given, the trail must be
 * complete.
 */
interface OutsideFacts {
  readonly heads: readonly ChainHead[];
  readonly anchors: readonly (readonly ChainHead[])[];
  readonly storedHeads: readonly ChainHead[] | undefined;
}

/**
 * Findings that may have a harmless cause, so that they are not faults. `late`: chains that begin in the middle for no known
 * reason.
 */
interface Findings {
  readonly late: ReadonlySet<WriterChain>;
  readonly unknownHeads: readonly ChainHead[];
  readonly hasDroppedStatements: boolean;
  readonly anchors: TrailReport["anchors"];
  readonly absent: readonly ChainHead[];
}

/** Makes the checks that need all lines. It adds the faults to the chains. */
export function judgeEnd(read: ReadTrail, outside: OutsideFacts): Findings {
  const { chains, statements, expected } = read;
  const anchors = outside.anchors.flat();
  confirm(read, [...outside.heads, ...anchors]);
  const late = judgeBeginnings(read, outside);
  expectHeads(read, outside);
  const isUnknown = (head: ChainHead): boolean =>
    !expected.isFound(head) &&
    statements.purged(head.writer)?.hash !== head.hash &&
    (chains.get(head.writer)?.fault ?? null) === null;
  return {
    late,
    unknownHeads: outside.heads.filter(isUnknown),
    hasDroppedStatements: statements.hasDropped,
    anchors: {
      given: anchors.length,
      found: anchors.filter((head) => expected.isFound(head)).length,
    },
    absent: [...statements.heads.values()].filter(
      ({ writer, seq }) =>
        !chains.has(writer) && !statements.isPurged(writer, seq),
    ),
  };
}

/**
 * Marks entries up to each head that a signed start names as signed and confirmed, and entries up to each head in
 * `confirmedHeads` as confirmed.
 */
function confirm(read: ReadTrail, confirmedHeads: readonly ChainHead[]): void {
  const { chains, statements, expected, acceptStatements } = read;
  const chainWith = (head: ChainHead): WriterChain | undefined =>
    expected.isFound(head) ? chains.get(head.writer) : undefined;
  for (const head of statements.heads.values()) {
    const chain = chainWith(head);
    chain?.confirmUpTo(head.seq);
    chain?.signatures.coverUpTo(head.seq);
  }
  for (const head of confirmedHeads) {
    chainWith(head)?.confirmUpTo(head.seq);
  }
  for (const chain of chains.values()) {
    acceptStatements(chain, chain.signatures.signedTo, true);
  }
}

/**
 * Returns the writers whose beginning is missing for no known reason. In a store, a missing beginning is a fault instead.
 */
function judgeBeginnings(
  { chains, statements }: ReadTrail,
  { storedHeads }: OutsideFacts,
): Set<WriterChain> {
  const late = new Set<WriterChain>();
  for (const chain of chains.values()) {
    const { writer, lateBeginning } = chain;
    const purged = statements.purged(writer);
    if (lateBeginning === null || purged?.hash === lateBeginning.prev) {
      continue;
    }
    if (storedHeads === undefined) {
      late.add(chain);
    } else {
      chain.failFromStart();
    }
  }
  return late;
}

/** Adds a fault for each entry that must be in the trail but is not. */
function expectHeads(read: ReadTrail, outside: OutsideFacts): void {
  const { chains, chainOf, statements, expected, skippedOver } = read;
  const { heads, anchors, storedHeads } = outside;
  const isStore = storedHeads !== undefined;
  const isPresent = (writer: string): boolean =>
    (chains.get(writer)?.entries ?? 0) > 0;
  const isPurged = ({ writer, seq }: ChainHead): boolean =>
    statements.isPurged(writer, seq);
  // A stream has one beginning for all anchor files, which are given oldest first.
  const anchorsInOrder = isStore ? anchors : [anchors.flat()];
  const required = [
    ...heads,
    ...anchorsInOrder.flatMap((file) =>
      expectedAnchors(file, {
        isStore,
        isFound: (anchor) => expected.isFound(anchor),
        isPurged,
        isPresent,
      }),
    ),
    ...[...statements.heads.values()].filter(
      ({ writer }) => isStore || isPresent(writer) || skippedOver.has(writer),
    ),
    ...(storedHeads ?? []),
  ];
  for (const head of required) {
    if (!isPurged(head)) {
      chainOf(head.writer).mustReach(head.seq);
    } else if (contradicts(statements.purged(head.writer), head)) {
      chainOf(head.writer).fail("head_mismatch", head.seq);
    }
  }
  for (const head of storedHeads ?? []) {
    expected.expect(head, chains.get(head.writer));
  }
  if (isStore) {
    const storedWriters = new Set(storedHeads.map(({ writer }) => writer));
    for (const chain of chains.values()) {
      if (!storedWriters.has(chain.writer)) {
        chain.fail("unknown_writer", chain.seq);
      }
    }
  }
}

/** Whether both name the same entry with different hashes. */
function contradicts(one: ChainHead | undefined, head: ChainHead): boolean {
  return one?.seq === head.seq && one.hash !== head.hash;
}

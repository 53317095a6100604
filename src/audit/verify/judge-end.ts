import type { ChainHead } from "../chain.ts";
import { expectedAnchors } from "./anchors.ts";
import type { ExpectedEntries } from "./expected-entries.ts";
import type { Statements } from "./statements.ts";
import type { TrailReport } from "./trail-report.ts";
import type { WriterChain } from "./writer-chain.ts";

/** What was read of a trail. */
interface ReadTrail {
  readonly chains: ReadonlyMap<string, WriterChain>;
  /** The chain of a writer, also of one that is not there. */
  readonly chainOf: (writer: string) => WriterChain;
  readonly statements: Statements;
  readonly expected: ExpectedEntries;
  /** Writers that a start names between two others that are there. */
  readonly skippedOver: ReadonlySet<string>;
  /** What a writer stated up to this entry counts. `isNamed`: for a start that names it. */
  readonly credit: (chain: WriterChain, upTo: number, isNamed: boolean) => void;
}

/** What is known besides. `table`: a store's own table of heads; then the trail must be whole. */
interface Known {
  readonly heads: readonly ChainHead[];
  readonly anchors: readonly (readonly ChainHead[])[];
  readonly table: readonly ChainHead[] | undefined;
}

/** What no fault says: chains that begin late for no known reason, given heads of which nothing is known, absent writers. */
interface Unknown {
  readonly late: ReadonlySet<WriterChain>;
  readonly unknownHeads: readonly ChainHead[];
  readonly hasDroppedStatements: boolean;
  readonly anchors: TrailReport["anchors"];
  readonly absent: readonly ChainHead[];
}

/** Judges what cannot be judged before the last line. Faults go into the chains. */
export function judgeEnd(read: ReadTrail, known: Known): Unknown {
  const { chains, statements, expected } = read;
  const anchors = known.anchors.flat();
  confirm(read, [...known.heads, ...anchors]);
  const late = judgeBeginnings(read, known);
  expectHeads(read, known);
  const isUnknown = (head: ChainHead): boolean =>
    !expected.isMet(head) &&
    statements.purged(head.writer)?.hash !== head.hash &&
    (chains.get(head.writer)?.fault ?? null) === null;
  return {
    late,
    unknownHeads: known.heads.filter(isUnknown),
    hasDroppedStatements: statements.hasDropped,
    anchors: {
      given: anchors.length,
      found: anchors.filter((head) => expected.isMet(head)).length,
    },
    absent: [...statements.heads.values()].filter(
      ({ writer, seq }) =>
        !chains.has(writer) && !statements.isPurged(writer, seq),
    ),
  };
}

/** What a signed start names is anchored and confirmed up to there; what the caller gives is confirmed. */
function confirm(read: ReadTrail, given: readonly ChainHead[]): void {
  const { chains, statements, expected, credit } = read;
  const meets = (head: ChainHead): WriterChain | undefined =>
    expected.isMet(head) ? chains.get(head.writer) : undefined;
  for (const head of statements.heads.values()) {
    const chain = meets(head);
    chain?.confirmUpTo(head.seq);
    chain?.signatures.anchorUpTo(head.seq);
  }
  for (const head of given) {
    meets(head)?.confirmUpTo(head.seq);
  }
  for (const chain of chains.values()) {
    credit(chain, chain.signatures.anchoredTo, true);
  }
}

/** Finds the writers whose beginning is missing: in a store that is a fault. */
function judgeBeginnings(
  { chains, statements }: ReadTrail,
  { table }: Known,
): Set<WriterChain> {
  const late = new Set<WriterChain>();
  for (const chain of chains.values()) {
    const { writer, lateBeginning } = chain;
    const purged = statements.purged(writer);
    if (lateBeginning === null || purged?.hash === lateBeginning.prev) {
      continue;
    }
    if (table === undefined) {
      late.add(chain);
    } else {
      chain.failFromStart();
    }
  }
  return late;
}

/** Everything that is said to be there must be. */
function expectHeads(read: ReadTrail, known: Known): void {
  const { chains, chainOf, statements, expected, skippedOver } = read;
  const { heads, anchors, table } = known;
  const isStore = table !== undefined;
  const isThere = (writer: string): boolean =>
    (chains.get(writer)?.entries ?? 0) > 0;
  const isPurged = ({ writer, seq }: ChainHead): boolean =>
    statements.isPurged(writer, seq);
  // Where a stream begins is one place for all files, which are given oldest first.
  const anchorsInOrder = isStore ? anchors : [anchors.flat()];
  const mustBeThere = [
    ...heads,
    ...anchorsInOrder.flatMap((file) =>
      expectedAnchors(file, {
        isStore,
        isMet: (anchor) => expected.isMet(anchor),
        isPurged,
        isThere,
      }),
    ),
    ...[...statements.heads.values()].filter(
      ({ writer }) => isStore || isThere(writer) || skippedOver.has(writer),
    ),
    ...(table ?? []),
  ];
  for (const head of mustBeThere) {
    if (!isPurged(head)) {
      chainOf(head.writer).mustReach(head.seq);
    } else if (isOtherThan(statements.purged(head.writer), head)) {
      chainOf(head.writer).fail("head_mismatch", head.seq);
    }
  }
  for (const head of table ?? []) {
    expected.expect(head, chains.get(head.writer));
  }
  if (isStore) {
    const noted = new Set(table.map(({ writer }) => writer));
    for (const chain of chains.values()) {
      if (!noted.has(chain.writer)) {
        chain.fail("unknown_writer", chain.seq);
      }
    }
  }
}

/** Whether both name one entry, with different hashes. */
function isOtherThan(one: ChainHead | undefined, head: ChainHead): boolean {
  return one?.seq === head.seq && one.hash !== head.hash;
}

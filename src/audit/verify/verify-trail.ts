import { type ChainHead, hashLine, splitHash } from "../chain.ts";
import { MAX_LINE_BYTES } from "../entry.ts";
import { isExactLine, parseEntry, type ParsedEntry } from "../parsed-entry.ts";
import { createAttribution } from "./attribution.ts";
import {
  claimsOf,
  isCorruptEntry,
  isOtherObject,
  isTorn,
} from "./corrupt-lines.ts";
import { createExpectedHeads } from "./expected-heads.ts";
import { createRecent } from "./recent.ts";
import { createStatements, type NamedHead } from "./statements.ts";
import {
  entriesIn,
  isCorruptPrefix,
  isMember,
  streamLine,
} from "./stream-line.ts";
import { reportOf, type TrailReport } from "./trail-report.ts";
import { WriterChain } from "./writer-chain.ts";

export interface VerifyOptions {
  /** Entries known from elsewhere that must be there. */
  readonly heads?: readonly ChainHead[];
  /** The keys that checkpoints may be signed with; none = those that the trail itself names. */
  readonly publicKeys?: readonly string[];
  /**
   * The lines are a part of the trail, or several streams in one: writers may begin late, what one stream has may come in
   * another again, and an entry may come before one that it names.
   */
  readonly partial?: boolean;
}

export interface TrailVerifier {
  /** Takes the next line of a stream, whatever stands before an entry there; lines without one are counted and skipped. */
  line(text: string): void;
  /** Takes the next line of a store, where every line must be an entry, behind those that it names. */
  entry(line: string): void;
  /**
   * Holds what was read against what else is known. `table` is a store's own table of heads, of the same moment as the
   * lines: with it the trail must be whole.
   */
  finish(table?: readonly ChainHead[]): TrailReport;
}

/**
 * Verifies a trail line by line: hashes, links, signatures, and what entries that are vouched for say of other writers.
 * Memory grows with the number of writers alone, beside a fixed number of hashes.
 */
export function createTrailVerifier(
  options: VerifyOptions = {},
): TrailVerifier {
  const { heads = [], publicKeys = [], partial = false } = options;
  const trusted = publicKeys.length === 0 ? null : new Set(publicKeys);
  const recent = createRecent();
  const chains = new Map<string, WriterChain>();
  const statements = createStatements(chains);
  const known = createExpectedHeads();
  /** Writers that a start names between two others that are there. */
  const skippedOver = new Set<string>();
  const attribution = createAttribution(chains, chainOf, recent);
  const counts = { entries: 0, skipped: 0, torn: 0 };
  let lines = 0;

  for (const head of heads) {
    known.expect(head, undefined);
  }

  function chainOf(writer: string): WriterChain {
    let chain = chains.get(writer);
    if (chain === undefined) {
      chain = new WriterChain(writer, recent, { partial });
      chains.set(writer, chain);
    }
    return chain;
  }

  /** False, with nothing done, when the line is not an entry in its exact form. */
  function takeEntry(line: string): boolean {
    const split = splitHash(line);
    const parsed = split === null ? null : parseEntry(line);
    if (parsed === null || split === null) {
      return false;
    }
    const isWhole =
      line.length <= MAX_LINE_BYTES &&
      hashLine(split.covered) === split.claimed &&
      isExactLine(line, parsed);
    if (!isWhole) {
      takeChanged(line);
      return true;
    }
    counts.entries += 1;
    const chain = chainOf(parsed.chain.writer);
    attribution.claim(chain, parsed.chain);
    if (
      !partial &&
      chain.entries === 0 &&
      parsed.chain.seq <= statements.namedUpTo(chain.writer)
    ) {
      // Nothing comes behind an entry that names it.
      chain.fail("reordered", parsed.chain.seq);
    }
    const before = chain.hash;
    if (chain.take(parsed)) {
      attribution.moved(chain, before);
      learnFrom(chain, parsed);
      known.check(chain, parsed.chain.seq);
    }
    return true;
  }

  /** A line that was an entry before somebody changed it. */
  function takeChanged(line: string): void {
    counts.entries += 1;
    attribution.changed(claimsOf(line), lines);
  }

  /** Entries that broke off, or that were changed, in one line. */
  function takeDamaged(rest: string): void {
    let others = 0;
    const entries = entriesIn(rest);
    for (const entry of entries) {
      if (entries.length > 1 && takeEntry(entry)) {
        continue;
      }
      if (isTorn(entry)) {
        counts.torn += 1;
      } else if (isCorruptEntry(entry)) {
        takeChanged(entry);
      } else {
        others += 1;
      }
    }
    if (others === entries.length) {
      counts.skipped += 1;
    }
  }

  /** What an entry that is in its place says of its own writer and of others. */
  function learnFrom(chain: WriterChain, parsed: ParsedEntry): void {
    const { action, metadata } = parsed;
    const { seq } = parsed.chain;
    if (
      action === "server.started" &&
      seq === 1 &&
      typeof metadata["publicKey"] === "string"
    ) {
      chain.declareKey(metadata["publicKey"]);
    }
    statements.hear(parsed, chain);
    if (action === "audit.checkpoint") {
      chain.anchor(parsed, trusted);
      if (chain.fault === null) {
        credit(parsed, chain);
      }
    } else {
      chain.expectCheckpoint(seq);
    }
  }

  /** What a writer has stated right before a checkpoint counts. */
  function credit(checkpoint: ParsedEntry, by: WriterChain): void {
    for (const named of statements.credit(checkpoint, by)) {
      for (const head of named) {
        known.expect(head, chains.get(head.writer));
      }
      if (!partial) {
        expectNamed(named);
      }
    }
  }

  /** What is named was there before; and between two writers none is left out. */
  function expectNamed(newestFirst: readonly NamedHead[]): void {
    let olderIsThere = false;
    for (const { writer, seq, reached } of newestFirst.toReversed()) {
      const chain = chains.get(writer);
      if (chain === undefined || chain.entries === 0) {
        if (olderIsThere) {
          skippedOver.add(writer);
        }
        continue;
      }
      const goesOn = reached === 0 && chain.firstSeq > seq;
      if (reached < seq && !goesOn) {
        chain.fail(chain.seq > reached ? "reordered" : "cut off", reached + 1);
      }
      // Behind one that begins late others may lie wholly before these lines.
      olderIsThere ||= chain.lateBeginning === null;
    }
  }

  /** A start that counts vouches for the heads that it names. */
  function spreadAnchors(): void {
    for (const head of statements.heads()) {
      if (known.isMet(head)) {
        chains.get(head.writer)?.anchorUpTo(head.seq);
      }
    }
  }

  /** Judges each writer by what could not be judged before the end. `whole`: this is a store. */
  function settle(whole: boolean): void {
    const timesSigned = [...chains.values()].some(
      ({ publicKey, firstUnsignedTime }) =>
        publicKey !== null && firstUnsignedTime === null,
    );
    for (const chain of chains.values()) {
      chain.settle({ late: mayBeginLate(chain, whole), whole, timesSigned });
    }
  }

  function mayBeginLate(
    { writer, lateBeginning: late }: WriterChain,
    whole: boolean,
  ): boolean {
    return (
      late !== null &&
      (statements.isPurgedUpTo(writer, late) ||
        (!whole && (partial || statements.mayBegin(writer, late.next))))
    );
  }

  /** Holds what is there at the end against everything that is said to be there. */
  function expectAll(whole: boolean, table: readonly ChainHead[]): void {
    for (const head of heads) {
      expectGiven(head);
    }
    const isThere = (writer: string): boolean =>
      (chains.get(writer)?.entries ?? 0) > 0;
    const said = [...statements.heads()].filter(
      ({ writer }) => whole || isThere(writer) || skippedOver.has(writer),
    );
    for (const { writer, seq } of [...said, ...table]) {
      if (!statements.isPurged(writer, seq)) {
        chainOf(writer).mustReach(seq);
      }
    }
    for (const head of table) {
      known.expect(head, chains.get(head.writer));
    }
  }

  function expectGiven({ writer, seq, hash }: ChainHead): void {
    const purged = statements.purged(writer);
    const isGone = statements.isPurged(writer, seq);
    if (isGone && purged?.seq === seq && purged.hash !== hash) {
      chainOf(writer).fail("edited", seq);
    }
    if (!isGone && !(partial && !chains.has(writer))) {
      chainOf(writer).mustReach(seq);
    }
  }

  /** Whether nothing can be told of a given head: its entry is purged, or lies too far back, or before these lines. */
  function isUntold(head: ChainHead): boolean {
    const { writer } = head;
    return (
      !known.isMet(head) &&
      statements.purged(writer)?.hash !== head.hash &&
      (chains.get(writer)?.fault ?? null) === null
    );
  }

  /** Every writer of a store is in its table of heads. */
  function expectInTable(table: readonly ChainHead[]): void {
    const noted = new Set(table.map(({ writer }) => writer));
    for (const chain of chains.values()) {
      if (!noted.has(chain.writer)) {
        chain.fail("without a head in the store", chain.seq);
      }
    }
  }

  return {
    entry(line) {
      lines += 1;
      if (!takeEntry(line)) {
        takeChanged(line);
      }
    },
    line(text) {
      lines += 1;
      const { before, rest } = streamLine(text);
      const quoted = isMember(before);
      const isEntry = rest !== null && !quoted && !isCorruptPrefix(before);
      if (isEntry && takeEntry(rest)) {
        return;
      }
      const isOther = quoted || isOtherObject(before + (rest ?? ""));
      if (isEntry && !isOther) {
        takeDamaged(rest);
      } else if (!isOther && isCorruptEntry(rest ?? before)) {
        takeChanged(rest ?? before);
      } else {
        counts.skipped += 1;
      }
    },
    finish(table) {
      const whole = table !== undefined;
      spreadAnchors();
      settle(whole);
      expectAll(whole, table ?? []);
      if (table !== undefined) {
        expectInTable(table);
      }
      const present = [...chains.values()];
      return {
        ...counts,
        untold: heads.filter(isUntold),
        absent: [...statements.heads()].filter(
          ({ writer, seq }) =>
            !chains.has(writer) && !statements.isPurged(writer, seq),
        ),
        writers: present.map(reportOf),
      };
    },
  };
}

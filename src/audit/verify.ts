import { type ChainHead, hashLine, splitHash } from "../core/audit-chain.ts";
import { parseEntry, type ParsedEntry } from "../core/parsed-entry.ts";
import { createBlame } from "./blame.ts";
import {
  bareLine,
  claimsOf,
  isEntryLike,
  isTorn,
  secondEntryAt,
} from "./damage.ts";
import { createKnownEntries } from "./known-entries.ts";
import { createStatements } from "./statements.ts";
import { reportOf, type TrailReport } from "./trail-report.ts";
import { createRecent, type Gap, WriterChain } from "./writer-chain.ts";

export interface VerifyOptions {
  /** Entries known from elsewhere that must be there. */
  readonly heads?: readonly ChainHead[];
  /** The keys that checkpoints may be signed with; none = those that the trail itself names. */
  readonly publicKeys?: readonly string[];
  /**
   * The lines are a part of the trail, or several streams in one: writers may begin late, and an entry may come before
   * one that it names.
   */
  readonly partial?: boolean;
}

export interface TrailVerifier {
  /** Takes the next line of a stream, with or without what stands before an entry there; others are counted and skipped. */
  line(text: string): void;
  /** Takes the next line of a store, where every line must be an entry. */
  entry(line: string): void;
  /**
   * Holds what was read against what else is known. `table` is a store's own table of heads, of the same moment as the
   * lines: with it the trail must be whole.
   */
  finish(table?: readonly ChainHead[]): TrailReport;
}

/**
 * Verifies a trail line by line: hashes, links, signatures, and what entries say of other writers. Memory grows with the
 * number of writers alone, beside a fixed number of hashes.
 */
export function createTrailVerifier(
  options: VerifyOptions = {},
): TrailVerifier {
  const { heads = [], publicKeys = [], partial = false } = options;
  const trusted = publicKeys.length === 0 ? null : new Set(publicKeys);
  const recent = createRecent();
  const chains = new Map<string, WriterChain>();
  const statements = createStatements();
  const known = createKnownEntries();
  /** Writers that a start names between two others that are there. */
  const skippedOver = new Set<string>();
  const blame = createBlame(chains, chainOf);
  const counts = { entries: 0, skipped: 0, torn: 0 };

  for (const head of heads) {
    known.add(head, undefined);
  }

  function chainOf(writer: string): WriterChain {
    let chain = chains.get(writer);
    if (chain === undefined) {
      chain = new WriterChain(writer, recent);
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
    if (hashLine(split.covered) !== split.claimed) {
      takeChanged(line);
      return true;
    }
    counts.entries += 1;
    const chain = chainOf(parsed.chain.writer);
    blame.claim(chain, parsed.chain);
    const before = chain.hash;
    if (chain.take(parsed)) {
      blame.moved(chain, before);
      known.check(chain);
      learnFrom(chain, parsed);
    }
    return true;
  }

  /** A line that was an entry before somebody changed it. */
  function takeChanged(line: string): void {
    counts.entries += 1;
    blame.changed(claimsOf(line), counts.entries);
  }

  /** A line that is an entry, or was one: perhaps the beginning of one, with another behind it. */
  function takeLine(line: string): void {
    let rest = line;
    for (let at = 0; at !== -1; rest = bareLine(rest.slice(at))) {
      if (takeEntry(rest)) {
        return;
      }
      at = secondEntryAt(rest);
      const first = at === -1 ? rest : rest.slice(0, at);
      if (isTorn(first)) {
        counts.torn += 1;
      } else {
        takeChanged(first);
      }
    }
  }

  /** What an entry that is in its place says of its own writer and of others. */
  function learnFrom(chain: WriterChain, parsed: ParsedEntry): void {
    const { action, metadata } = parsed;
    if (action === "audit.checkpoint") {
      chain.anchor(parsed, trusted);
    } else {
      chain.expectCheckpoint(chain.seq);
    }
    if (
      action === "server.started" &&
      chain.seq === 1 &&
      typeof metadata["publicKey"] === "string"
    ) {
      chain.declareKey(metadata["publicKey"]);
    }
    const named = statements.learnFrom(parsed, chain);
    for (const head of named) {
      known.add(head, chains.get(head.writer));
    }
    if (!partial) {
      expectNamed(named);
    }
  }

  /** In the order of the store what is named was there before; and between two writers none is left out. */
  function expectNamed(newestFirst: readonly ChainHead[]): void {
    let olderIsThere = false;
    for (const { writer, seq } of newestFirst.toReversed()) {
      const chain = chains.get(writer);
      if (chain !== undefined && chain.entries > 0) {
        chain.mustReach(seq);
        olderIsThere = true;
      } else if (olderIsThere) {
        skippedOver.add(writer);
      }
    }
  }

  /** Checkpoints vouch for what comes before them, and so for the heads that a start before them names. */
  function spreadAnchors(): void {
    let spread = true;
    while (spread) {
      spread = false;
      for (const head of statements.heads()) {
        const { writer, seq, by, bySeq } = head;
        const chain = chains.get(writer);
        const anchored = bySeq <= by.anchoredTo && known.isMet(head);
        if (chain && anchored && seq > chain.anchoredTo) {
          chain.anchoredTo = seq;
          spread = true;
        }
      }
    }
  }

  /** Judges what could not be judged before the end. `whole`: this is a store, where nothing comes twice or late. */
  function settle(chain: WriterChain, whole: boolean): void {
    const { writer, gap, doubled } = chain;
    if (gap !== null && !isExcused(writer, gap, whole)) {
      // It comes before whatever else was found.
      const { fault } = chain;
      const reordered = fault?.what === "reordered" && fault.seq < gap.next;
      chain.fault = reordered
        ? fault
        : { writer, seq: gap.seq, what: "missing" };
      chain.anchoredTo = Math.min(chain.anchoredTo, gap.seq - 1);
    } else if (
      doubled !== null &&
      (whole || !statements.mayComeTwice(writer, doubled))
    ) {
      chain.fault = { writer, seq: doubled, what: "doubled" };
    } else if (chain.lax !== null && gap !== null && strict()) {
      // Its start, which says that times are signed, is not there; those of others say it all the same.
      chain.fail("re-hashed but not re-signed", chain.lax, chain.lax);
    }
  }

  /** Whether this is a trail in which checkpoints sign their time. */
  function strict(): boolean {
    return [...chains.values()].some(
      ({ lax, publicKey }) => publicKey !== null && lax === null,
    );
  }

  function isExcused(writer: string, gap: Gap, whole: boolean): boolean {
    const purged =
      statements.isPurged(writer, gap.next - 1) &&
      statements.purgedHash(writer) === gap.prev;
    // A stream may begin with what a killed process left to its successor.
    const late = partial || statements.mayBeginAt(writer, gap.next);
    return purged || (gap.seq === 1 && late && !whole);
  }

  /** Holds what is there at the end against everything that is said to be there. */
  function expectAll(
    whole: boolean,
    table: readonly ChainHead[],
  ): readonly ChainHead[] {
    for (const { writer, seq } of heads) {
      chainOf(writer).mustReach(seq);
    }
    const said = [
      ...[...statements.heads()].filter(
        ({ writer }) =>
          whole ||
          (chains.get(writer)?.entries ?? 0) > 0 ||
          skippedOver.has(writer),
      ),
      ...table,
    ];
    for (const head of said) {
      if (!statements.isPurged(head.writer, head.seq)) {
        chainOf(head.writer).mustReach(head.seq);
      }
    }
    for (const head of table) {
      known.add(head, chains.get(head.writer));
    }
    return heads.filter(
      (head) => !known.isMet(head) && chainOf(head.writer).fault === null,
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
      if (!takeEntry(line)) {
        takeChanged(line);
      }
    },
    line(text) {
      const line = bareLine(text);
      if (isEntryLike(line)) {
        takeLine(line);
      } else {
        counts.skipped += 1;
      }
    },
    finish(table) {
      const whole = table !== undefined;
      spreadAnchors();
      for (const chain of chains.values()) {
        settle(chain, whole);
      }
      const untold = expectAll(whole, table ?? []);
      if (table !== undefined) {
        expectInTable(table);
      }
      return {
        ...counts,
        untold,
        writers: [...chains.values()].map(reportOf),
      };
    },
  };
}

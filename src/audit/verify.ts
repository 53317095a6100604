import {
  type ChainHead,
  GENESIS,
  hashLine,
  splitHash,
} from "../core/audit-chain.ts";
import {
  bareLine,
  type Claims,
  claimsOf,
  isEntryLike,
  isTorn,
  secondEntryAt,
} from "./damage.ts";
import { parseEntry, type ParsedEntry } from "../core/parsed-entry.ts";
import { createStatements } from "./statements.ts";
import {
  type ChainFault,
  createRecent,
  type Gap,
  WriterChain,
} from "./writer-chain.ts";

/** What is known of one writer's chain. */
export interface WriterReport {
  readonly writer: string;
  /** Entries that are in their place, up to the first fault. */
  readonly entries: number;
  /** The first and the last of them; 0 = none. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  readonly lastHash: string;
  /** Up to here a signed checkpoint vouches for them, its own or one behind a start that names it; 0 = none does. */
  readonly anchoredTo: number;
  /** The key of its checkpoints: base64 of the SPKI DER. */
  readonly publicKey: string | null;
  /** Whether it ended in good order: what comes behind that is no entry of its own. */
  readonly ended: boolean;
  readonly fault: ChainFault | null;
}

export interface TrailReport {
  readonly writers: readonly WriterReport[];
  readonly entries: number;
  /** Lines that are no entries, such as those of another program in the same stream. */
  readonly skipped: number;
  /** Lines that break off. What they were is there as well, or missed as any other. */
  readonly torn: number;
  /** Given heads of which nothing can be told, since the entries are purged or lie too far back. */
  readonly untold: readonly ChainHead[];
}

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
   * Holds what was read against what else is known. `store` is the store's own table of heads, as it was before the
   * first line was read and after the last: with it the trail must be whole.
   */
  finish(store?: {
    before: readonly ChainHead[];
    after: readonly ChainHead[];
  }): TrailReport;
}

/** Nobody to put it down to: a line that was an entry and says nothing of its place any more. */
const UNKNOWN_WRITER = "(unreadable)";

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
  /** First entries that were changed in what they say of their writer, by the hash they claim. */
  const strays = new Map<string, WriterChain>();
  const counts = { entries: 0, skipped: 0, torn: 0 };

  function chainOf(writer: string): WriterChain {
    let chain = chains.get(writer);
    if (chain === undefined) {
      chain = new WriterChain(writer, recent);
      chains.set(writer, chain);
    }
    return chain;
  }

  function entry(line: string): void {
    const parsed = parseEntry(line);
    const split = splitHash(line);
    if (parsed === null || split === null) {
      damaged(line);
      return;
    }
    counts.entries += 1;
    if (hashLine(split.covered) !== split.claimed) {
      changed(claimsOf(line));
      return;
    }
    const chain = chainOf(parsed.chain.writer);
    claimStray(chain, parsed);
    if (chain.take(parsed)) {
      learnFrom(chain, parsed);
    }
  }

  function damaged(line: string): void {
    const second = secondEntryAt(line);
    const first = second === -1 ? line : line.slice(0, second);
    if (isTorn(first)) {
      counts.torn += 1;
    } else {
      counts.entries += 1;
      changed(claimsOf(first));
    }
    if (second !== -1) {
      entry(bareLine(line.slice(second)));
    }
  }

  /** An entry that is not what was written: the one whose place it names, by its link rather than by its words. */
  function changed(claims: Claims): void {
    const { writer, prev, hash } = claims;
    const seq = prev === GENESIS ? 1 : claims.seq;
    const linked = [...chains.values()].find(
      (chain) => chain.entries > 0 && chain.hash === prev,
    );
    if (linked !== undefined) {
      linked.fail("edited", linked.seq + 1);
      return;
    }
    const unheard = writer === null || !chains.has(writer);
    const chain = chainOf(writer ?? UNKNOWN_WRITER);
    if (writer === null || seq === null) {
      chain.fail("unreadable", counts.entries);
    } else {
      chain.fail("edited", seq);
    }
    if (unheard && prev === GENESIS && hash !== null) {
      strays.set(hash, chain);
    }
  }

  /** The second entry of a writer tells whose a changed first one was. */
  function claimStray(chain: WriterChain, { chain: link }: ParsedEntry): void {
    const stray = strays.get(link.prev);
    if (chain.entries === 0 && stray !== undefined && stray !== chain) {
      chain.fail("edited", link.seq - 1);
      chains.delete(stray.writer);
      strays.delete(link.prev);
    }
  }

  /** What an entry that is in its place says of its own writer and of others. */
  function learnFrom(chain: WriterChain, parsed: ParsedEntry): void {
    const { action, metadata } = parsed;
    if (action === "audit.checkpoint") {
      chain.anchor(parsed, trusted);
    }
    if (
      action === "server.started" &&
      typeof metadata["publicKey"] === "string"
    ) {
      chain.declareKey(metadata["publicKey"]);
    }
    for (const head of statements.learnFrom(parsed, chain)) {
      const other = chains.get(head.writer);
      // In the order of the store what is named was there before.
      if (other !== undefined && other.entries > 0 && !partial) {
        other.holdAgainst(head);
      }
    }
  }

  /** Checkpoints vouch for what comes before them, and so for the heads that a start before them names. */
  function spreadAnchors(): void {
    let spread = true;
    while (spread) {
      spread = false;
      for (const { writer, seq, by, bySeq } of statements.heads()) {
        const chain = chains.get(writer);
        const reach = Math.min(seq, chain?.seq ?? 0);
        if (chain && bySeq <= by.anchoredTo && reach > chain.anchoredTo) {
          chain.anchoredTo = reach;
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
      (whole || !statements.isResumedBefore(writer, doubled))
    ) {
      chain.fault = { writer, seq: doubled, what: "doubled" };
    }
  }

  function isExcused(writer: string, gap: Gap, whole: boolean): boolean {
    const purged =
      statements.isPurged(writer, gap.next - 1) &&
      statements.purgedHash(writer) === gap.prev;
    // A stream may begin with what a killed process left to its successor.
    const late = partial || statements.isResumedAt(writer, gap.next);
    return purged || (gap.seq === 1 && late && !whole);
  }

  function holdAgainstNamed(whole: boolean): void {
    for (const head of statements.heads()) {
      const { writer, seq } = head;
      if (!statements.isPurged(writer, seq) && (whole || chains.has(writer))) {
        chainOf(writer).holdAgainst(head);
      }
    }
  }

  /** Holds the chains against the store's own table of heads. */
  function holdAgainstTable(table: {
    before: readonly ChainHead[];
    after: readonly ChainHead[];
  }): void {
    for (const head of table.before) {
      if (!statements.isPurged(head.writer, head.seq)) {
        chainOf(head.writer).holdAgainst(head);
      }
    }
    const noted = new Set(
      [...table.before, ...table.after].map(({ writer }) => writer),
    );
    for (const chain of chains.values()) {
      if (!noted.has(chain.writer)) {
        chain.fail("without a head in the store", chain.seq);
      }
    }
  }

  return {
    entry,
    line(text) {
      const line = bareLine(text);
      if (isEntryLike(line)) {
        entry(line);
      } else {
        counts.skipped += 1;
      }
    },
    finish(store) {
      const whole = store !== undefined;
      spreadAnchors();
      for (const chain of chains.values()) {
        settle(chain, whole);
      }
      const untold = heads.filter(
        (head) => !chainOf(head.writer).holdAgainst(head),
      );
      holdAgainstNamed(whole);
      if (store !== undefined) {
        holdAgainstTable(store);
      }
      return {
        ...counts,
        untold,
        writers: [...chains.values()].map(reportOf),
      };
    },
  };
}

function reportOf(chain: WriterChain): WriterReport {
  const { writer, entries, firstSeq, seq, hash, anchoredTo, publicKey } = chain;
  return {
    writer,
    entries,
    firstSeq,
    lastSeq: seq,
    lastHash: hash,
    anchoredTo,
    publicKey,
    ended: chain.ended,
    fault: chain.fault,
  };
}

import type { ChainHead } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import { Attribution } from "./attribution.ts";
import { claimsOf } from "./corrupt-lines.ts";
import { ExpectedEntries } from "./expected-entries.ts";
import { judgeEnd } from "./judge-end.ts";
import { readEntry } from "./read-entry.ts";
import { RecentHashes } from "./recent-hashes.ts";
import { type NamedHead, Statements } from "./statements.ts";
import { readStreamLine } from "./stream-entries.ts";
import { reportOf, type TrailReport } from "./trail-report.ts";
import { WriterChain } from "./writer-chain.ts";

export interface VerifyOptions {
  /** Entries known from elsewhere that must be in the trail. */
  readonly heads?: readonly ChainHead[];
  /** The entries of each anchor file, in its order. Those that are not too old must be in the trail. */
  readonly anchors?: readonly (readonly ChainHead[])[];
  /** The keys that checkpoints may be signed with. Empty: those that the trail itself names. */
  readonly publicKeys?: readonly string[];
}

export interface TrailVerifier {
  /** Takes the next line of a stream. Its entry may have a prefix; lines without an entry are counted and skipped. */
  readonly line: (text: string) => void;
  /** Takes the next line of a store, where every line must be an entry. Returns the entry; null = it is corrupt. */
  readonly entry: (line: string) => ParsedEntry | null;
  /**
   * Makes the checks that need all lines, and returns the report. `storedHeads`: the heads table of a store, from the same
   * snapshot as the lines; with it the trail must be complete.
   */
  readonly finish: (storedHeads?: readonly ChainHead[]) => TrailReport;
  /**
   * The retention has deleted entries and events from before these times (unix milliseconds), as signed entries state. Valid
   * after `finish`.
   */
  readonly deletedBefore: { readonly entries: number; readonly events: number };
}

/**
 * Verifies a trail line by line, in these steps:
 * 1. find the entry in the line (stream-entries), parse it and check its hash (read-entry);
 * 2. check its links to the other entries of its writer (links), and signatures (writer-signatures);
 * 3. collect what signed entries state about other writers (statements);
 * 4. at the end, check that all expected entries are there (expected-entries, judge-end), and make the report.
 *
 * A repeated entry is counted and is no fault. Memory grows with the number of writers and given heads, not with the number
 * of lines.
 */
export function createTrailVerifier(
  options: VerifyOptions = {},
): TrailVerifier {
  const { heads = [], anchors = [], publicKeys = [] } = options;
  const trusted = publicKeys.length === 0 ? null : new Set(publicKeys);
  const recent = new RecentHashes();
  const chains = new Map<string, WriterChain>();
  const statements = new Statements();
  const expected = new ExpectedEntries();
  /** Absent writers that a start names between two present ones. */
  const skippedOver = new Set<string>();
  const attribution = new Attribution(recent, chainOf);
  const counts = { entries: 0, skipped: 0, torn: 0 };
  let lines = 0;

  for (const head of [...heads, ...anchors.flat()]) {
    expected.expect(head);
  }

  function chainOf(writer: string): WriterChain {
    let chain = chains.get(writer);
    if (chain === undefined) {
      chain = new WriterChain(writer, recent);
      chains.set(writer, chain);
    }
    return chain;
  }

  /** Returns "none" and does nothing if the line does not have the form of an entry. */
  function takeLine(line: string): ParsedEntry | "corrupt" | "none" {
    const entry = readEntry(line);
    if (entry === "corrupt") {
      takeCorrupt(line);
    } else if (entry !== "none") {
      takeEntry(entry);
    }
    return entry;
  }

  function takeCorrupt(line: string): void {
    counts.entries += 1;
    attribution.corrupt(claimsOf(line, lines));
  }

  function takeEntry(entry: ParsedEntry): void {
    counts.entries += 1;
    const { writer, seq } = entry.chain;
    const chain = chainOf(writer);
    attribution.entry(entry.chain);
    const namedUpTo = statements.heads.get(writer)?.seq ?? 0;
    if (chain.entries === 0 && seq <= namedUpTo) {
      // The start that names this entry came first.
      chain.fail("reordered", seq);
    }
    if (chain.take(entry)) {
      takeSignature(chain, entry);
      expected.check(chain, seq);
    }
  }

  function takeSignature(chain: WriterChain, entry: ParsedEntry): void {
    const { seq } = entry.chain;
    const { first } = chain.links;
    const code = chain.signatures.take(entry, first.seq, trusted);
    if (code === "signature_mismatch") {
      chain.failSignature(code, seq);
    } else if (code !== null) {
      chain.fail(code, seq);
    }
    statements.add(entry, chain, chains);
    if (entry.action === "audit.checkpoint" && chain.fault === null) {
      acceptStatements(chain, seq);
    }
  }

  function acceptStatements(
    chain: WriterChain,
    upTo: number,
    isNamed = false,
  ): void {
    for (const named of statements.accept(chain, upTo, isNamed)) {
      for (const head of named) {
        expected.expect(head, chains.get(head.writer));
      }
      expectNamed(named);
    }
  }

  /** Checks that the named entries came before the start, and notes absent writers between two present ones. */
  function expectNamed(newestFirst: readonly NamedHead[]): void {
    let isOlderPresent = false;
    for (const { writer, seq, reached } of newestFirst.toReversed()) {
      const chain = chains.get(writer);
      if (chain === undefined || chain.entries === 0) {
        if (isOlderPresent) {
          skippedOver.add(writer);
        }
        continue;
      }
      const beginsAfter = reached === 0 && chain.links.first.seq > seq;
      if (reached < seq && !beginsAfter) {
        chain.fail(chain.seq > reached ? "reordered" : "cut_off", reached + 1);
      }
      // If this writer began before these lines, all entries of the next writer may be before them too.
      isOlderPresent ||= chain.lateBeginning === null;
    }
  }

  return {
    entry(line) {
      lines += 1;
      const entry = takeLine(line);
      if (entry === "none") {
        takeCorrupt(line);
      }
      return typeof entry === "string" ? null : entry;
    },
    line(text) {
      lines += 1;
      readStreamLine(text, {
        entry: (line) => takeLine(line) !== "none",
        corrupt: takeCorrupt,
        torn: () => {
          counts.torn += 1;
        },
        other: () => {
          counts.skipped += 1;
        },
      });
    },
    finish(storedHeads) {
      attribution.finish();
      const read = {
        chains,
        chainOf,
        statements,
        expected,
        skippedOver,
        acceptStatements,
      };
      const { late, ...unknown } = judgeEnd(read, {
        heads,
        anchors,
        storedHeads,
      });
      return {
        ...counts,
        ...unknown,
        writers: [...chains.values()].map((chain) =>
          reportOf(chain, { beginsLate: late.has(chain) }),
        ),
        eventFaults: [],
      };
    },
    deletedBefore: statements.deletedBefore,
  };
}

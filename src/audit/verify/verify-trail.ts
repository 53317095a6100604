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
  /** Entries known from elsewhere that must be there. */
  readonly heads?: readonly ChainHead[];
  /** The entries that each anchor file names, in its order: those that the trail may still have must be there. */
  readonly anchors?: readonly (readonly ChainHead[])[];
  /** The keys that checkpoints may be signed with; none = those that the trail itself names. */
  readonly publicKeys?: readonly string[];
}

export interface TrailVerifier {
  /** Takes the next line of a stream, whatever stands before an entry there; lines without one are counted and skipped. */
  readonly line: (text: string) => void;
  /** Takes the next line of a store, where every line must be an entry, after those that it names. Returns the entry, if it is one. */
  readonly entry: (line: string) => ParsedEntry | null;
  /**
   * Compares what was read with what else is known. `table` is a store's own table of heads, of the same moment as the
   * lines: with it the trail must be whole.
   */
  readonly finish: (table?: readonly ChainHead[]) => TrailReport;
  /** Up to which times signed entries say that the retention has deleted, in unix milliseconds. After `finish`. */
  readonly deletedBefore: { readonly entries: number; readonly events: number };
}

/**
 * Verifies a trail line by line, in these steps: read the line (stream-entries), parse it and check its own hash
 * (read-entry), its links to the other entries of its writer (links), signatures (writer-signatures), and what entries that
 * a signature covers say of other writers (statements); at the end, what is expected to be there (expected-entries), and
 * the report. The same entry again is counted. Time grows with the lines; memory with the number of writers and of given
 * heads, beside a fixed number of hashes.
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
  /** Writers that a start names between two others that are there. */
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

  /** "none", with nothing done, when the line has not the form of an entry. */
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
      // An entry comes before those that name it.
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
    statements.hear(entry, chain, chains);
    if (entry.action === "audit.checkpoint" && chain.fault === null) {
      credit(chain, seq);
    }
  }

  function credit(chain: WriterChain, upTo: number, isNamed = false): void {
    for (const named of statements.credit(chain, upTo, isNamed)) {
      for (const head of named) {
        expected.expect(head, chains.get(head.writer));
      }
      expectNamed(named);
    }
  }

  /** What a start names was there before it; and between two writers that are there none is left out. */
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
      const beginsAfter = reached === 0 && chain.links.first.seq > seq;
      if (reached < seq && !beginsAfter) {
        chain.fail(chain.seq > reached ? "reordered" : "cut_off", reached + 1);
      }
      // Before a writer that begins late, others may lie wholly before these lines.
      olderIsThere ||= chain.lateBeginning === null;
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
    finish(table) {
      attribution.finish();
      const read = {
        chains,
        chainOf,
        statements,
        expected,
        skippedOver,
        credit,
      };
      const { late, ...unknown } = judgeEnd(read, {
        heads,
        anchors,
        table,
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

import type { ChainHead } from "../chain.ts";
import type { WriterChain } from "./writer-chain.ts";

/** Entries that must be there, and with a certain hash: a start that is vouched for names them, or whoever asks does. */
export interface ExpectedHeads {
  /** `chain`: what was read of its writer so far. */
  readonly expect: (head: ChainHead, chain: WriterChain | undefined) => void;
  /** An entry was taken: it is held against what is known of it. */
  readonly check: (chain: WriterChain, seq: number) => void;
  /** Whether the entry was there, with its hash. */
  readonly isMet: (head: ChainHead) => boolean;
}

interface ExpectedEntry {
  readonly hash: string;
  met: boolean;
}

export function createExpectedHeads(): ExpectedHeads {
  /** One has several hashes only when those who know of it contradict one another. */
  const known = new Map<string, Map<number, ExpectedEntry[]>>();

  function hold(entry: ExpectedEntry, chain: WriterChain, seq: number): void {
    const has = chain.has(seq, entry.hash);
    entry.met ||= has === true;
    if (has === false) {
      chain.contradict(seq);
    }
  }

  const of = (writer: string, seq: number): readonly ExpectedEntry[] =>
    known.get(writer)?.get(seq) ?? [];

  return {
    expect({ writer, seq, hash }, chain) {
      const same = of(writer, seq);
      if (same.some((entry) => entry.hash === hash)) {
        return;
      }
      const entry = { hash, met: false };
      const ofWriter = known.get(writer) ?? new Map<number, ExpectedEntry[]>();
      known.set(writer, ofWriter.set(seq, [...same, entry]));
      if (chain !== undefined && seq <= chain.seq) {
        hold(entry, chain, seq);
      }
    },
    check(chain, seq) {
      for (const entry of of(chain.writer, seq)) {
        hold(entry, chain, seq);
      }
    },
    isMet: ({ writer, seq, hash }) =>
      of(writer, seq).some((entry) => entry.hash === hash && entry.met),
  };
}

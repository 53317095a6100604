import { type ChainHead } from "../core/audit-chain.ts";
import { type WriterChain } from "./writer-chain.ts";

/** Entries that must be there, and with a certain hash: a start names them, or whoever asks does. */
export interface KnownEntries {
  /** `chain`: what was read of its writer so far. */
  readonly add: (head: ChainHead, chain: WriterChain | undefined) => void;
  /** An entry was taken: it is held against what is known of it. */
  readonly check: (chain: WriterChain) => void;
  /** Whether the entry was there, with its hash. */
  readonly isMet: (head: ChainHead) => boolean;
}

interface KnownEntry {
  readonly hash: string;
  met: boolean;
}

export function createKnownEntries(): KnownEntries {
  const known = new Map<string, Map<number, KnownEntry>>();

  function hold(entry: KnownEntry, chain: WriterChain, seq: number): void {
    const has = chain.has(seq, entry.hash);
    entry.met ||= has === true;
    if (has === false) {
      chain.fail("edited", seq);
    }
  }

  return {
    add({ writer, seq, hash }, chain) {
      const ofWriter = known.get(writer) ?? new Map<number, KnownEntry>();
      known.set(writer, ofWriter);
      const entry = ofWriter.get(seq) ?? { hash, met: false };
      ofWriter.set(seq, entry);
      if (entry.hash !== hash) {
        chain?.fail("edited", seq);
      } else if (chain !== undefined && seq <= chain.seq) {
        hold(entry, chain, seq);
      }
    },
    check(chain) {
      const entry = known.get(chain.writer)?.get(chain.seq);
      if (entry !== undefined) {
        hold(entry, chain, chain.seq);
      }
    },
    isMet: ({ writer, seq }) => known.get(writer)?.get(seq)?.met === true,
  };
}

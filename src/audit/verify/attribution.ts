import { type ChainLink, GENESIS } from "../chain.ts";
import type { Claims } from "./corrupt-lines.ts";
import type { Recent } from "./recent.ts";
import type { WriterChain } from "./writer-chain.ts";

/** Nobody to put it down to: a line that was an entry and says nothing of its place any more. */
const UNKNOWN_WRITER = "(unreadable)";

/** Puts entries that are not what was written down to the writer and the place that they were in. */
export interface Attribution {
  /** `line`: which of the lines it is, for one that nothing can be told of. */
  readonly changed: (claims: Claims, line: number) => void;
  /** An entry was taken; `before` is the hash of the one before it. */
  readonly moved: (chain: WriterChain, before: string) => void;
  /** The second entry of a writer tells whose a changed first one was. */
  readonly claim: (chain: WriterChain, link: ChainLink) => void;
}

export function createAttribution(
  chains: Map<string, WriterChain>,
  chainOf: (writer: string) => WriterChain,
  recent: Recent,
): Attribution {
  /** The writers by the hash of the last entry that was taken of each. */
  const tips = new Map<string, WriterChain>();
  /** First entries that were changed in what they say of their writer, by the hash they claim. */
  const strays = new Map<string, WriterChain>();

  return {
    changed({ writer, prev, hash, ...claims }, line) {
      // By its link rather than by its words: one of them is still right when only one was changed.
      const linked = tips.get(prev ?? "");
      if (linked !== undefined) {
        linked.fail("edited", linked.seq + 1);
        return;
      }
      // What comes a second time may be changed there.
      const same = recent.placeOf(hash ?? "");
      const before = recent.placeOf(prev ?? "");
      if (same !== undefined) {
        chainOf(same.writer).fail("edited", same.seq);
        return;
      }
      if (before !== undefined) {
        chainOf(before.writer).fail("edited", before.seq + 1);
        return;
      }
      const seq = prev === GENESIS ? 1 : claims.seq;
      const unheard = writer === null || !chains.has(writer);
      const chain = chainOf(writer ?? UNKNOWN_WRITER);
      if (writer === null || seq === null) {
        chain.fail("unreadable", 0, { line });
      } else {
        chain.fail("edited", seq);
      }
      if (unheard && prev === GENESIS && hash !== null) {
        strays.set(hash, chain);
      }
    },
    moved(chain, before) {
      tips.delete(before);
      tips.set(chain.hash, chain);
    },
    claim(chain, link) {
      const stray = strays.get(link.prev);
      if (chain.entries === 0 && stray !== undefined && stray !== chain) {
        chain.fail("edited", link.seq - 1);
        chains.delete(stray.writer);
        strays.delete(link.prev);
      }
    },
  };
}

import type { ChainHead } from "../chain.ts";
import type { WriterChain } from "./writer-chain.ts";

/** Entries that must have a known hash. Signed starts name them, or the caller. */
export class ExpectedEntries {
  /**
   * By writer and seq: the expected hashes, and whether the entry was found with them. More than one hash means that the
   * statements contradict each other.
   */
  readonly #expected = new Map<string, Map<string, boolean>>();

  /** Adds an expected entry. `chain`: what was read of its writer so far. */
  expect({ writer, seq, hash }: ChainHead, chain?: WriterChain): void {
    const key = `${writer}:${seq}`;
    const hashes = this.#expected.get(key) ?? new Map<string, boolean>();
    if (!hashes.has(hash)) {
      const isMet =
        chain !== undefined && seq <= chain.seq && chain.hasHash(seq, hash);
      this.#expected.set(key, hashes.set(hash, isMet));
    }
  }

  /** Compares an entry that was read with the hashes that are expected of it. */
  check(chain: WriterChain, seq: number): void {
    const hashes = this.#expected.get(`${chain.writer}:${seq}`);
    hashes?.forEach((isMet, hash) => {
      hashes.set(hash, isMet || chain.hasHash(seq, hash));
    });
  }

  /** Whether the entry was found with this hash. */
  isMet({ writer, seq, hash }: ChainHead): boolean {
    return this.#expected.get(`${writer}:${seq}`)?.get(hash) === true;
  }
}

import type { ChainHead } from "../chain.ts";
import type { WriterChain } from "./writer-chain.ts";

/** Entries that must be there with a certain hash: signed starts name them, or the caller does. */
export class ExpectedEntries {
  /** By writer and seq: the hashes, and whether they were met. Several only when those who name them contradict each other. */
  readonly #expected = new Map<string, Map<string, boolean>>();

  /** `chain`: what was read of its writer so far. */
  expect({ writer, seq, hash }: ChainHead, chain?: WriterChain): void {
    const key = `${writer}:${seq}`;
    const hashes = this.#expected.get(key) ?? new Map<string, boolean>();
    if (!hashes.has(hash)) {
      const isMet =
        chain !== undefined && seq <= chain.seq && chain.hasHash(seq, hash);
      this.#expected.set(key, hashes.set(hash, isMet));
    }
  }

  /** Compares an entry that was taken with what is expected of it. */
  check(chain: WriterChain, seq: number): void {
    const hashes = this.#expected.get(`${chain.writer}:${seq}`);
    hashes?.forEach((isMet, hash) => {
      hashes.set(hash, isMet || chain.hasHash(seq, hash));
    });
  }

  /** Whether the entry was there, with its hash. */
  isMet({ writer, seq, hash }: ChainHead): boolean {
    return this.#expected.get(`${writer}:${seq}`)?.get(hash) === true;
  }
}

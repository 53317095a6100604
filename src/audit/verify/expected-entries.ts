import type { ChainHead } from "../chain.ts";
import type { WriterChain } from "./writer-chain.ts";

/** The entries that must be in the trail with a given hash. Signed starts or the caller name them. */
export class ExpectedEntries {
  /**
   * By writer and seq: the expected hashes, and whether the entry was found with them. More than one hash means that the
   * statements contradict each other.
   */
  readonly #expected = new Map<string, Map<string, boolean>>();

  /** Adds an expected entry. `chain`: the entries of its writer that were read so far. */
  expect({ writer, seq, hash }: ChainHead, chain?: WriterChain): void {
    const key = `${writer}:${seq}`;
    const hashes = this.#expected.get(key) ?? new Map<string, boolean>();
    if (!hashes.has(hash)) {
      const isFound =
        chain !== undefined && seq <= chain.seq && chain.hasHash(seq, hash);
      this.#expected.set(key, hashes.set(hash, isFound));
    }
  }

  /** Compares an entry that was read with the hashes that are expected of it. */
  check(chain: WriterChain, seq: number): void {
    const hashes = this.#expected.get(`${chain.writer}:${seq}`);
    hashes?.forEach((isFound, hash) => {
      hashes.set(hash, isFound || chain.hasHash(seq, hash));
    });
  }

  /** Whether the entry was found with this hash. */
  isFound({ writer, seq, hash }: ChainHead): boolean {
    return this.#expected.get(`${writer}:${seq}`)?.get(hash) === true;
  }
}

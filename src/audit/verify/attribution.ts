import type { ChainLink } from "../chain.ts";
import type { Claims } from "./corrupt-lines.ts";
import type { RecentHashes } from "./recent-hashes.ts";
import type { WriterChain } from "./writer-chain.ts";

/** The writer in the report when a corrupt line does not show its writer. */
const UNKNOWN_WRITER = "(unreadable)";

/** The maximum number of corrupt lines that wait for the next entry. Further ones are attributed to the place they claim. */
const MAX_WAITING = 1000;

/**
 * Attributes corrupt lines to a writer and a seq. It uses the links to the entries before and after: a change in one place
 * leaves at least one of them intact. If neither link matches, it uses the place that the line claims.
 */
export class Attribution {
  readonly #recent: RecentHashes;
  readonly #chainOf: (writer: string) => WriterChain;
  /** Corrupt lines by the hash that they claim. The next entry of the writer names this hash. */
  readonly #waiting = new Map<string, Claims>();

  constructor(recent: RecentHashes, chainOf: (writer: string) => WriterChain) {
    this.#recent = recent;
    this.#chainOf = chainOf;
  }

  corrupt(claims: Claims): void {
    const before = this.#recent.placeOf(claims.prev ?? "");
    if (before !== undefined) {
      this.#chainOf(before.writer).fail("edited", before.seq + 1);
    } else if (claims.hash !== null && this.#waiting.size < MAX_WAITING) {
      this.#waiting.set(claims.hash, claims);
    } else {
      this.#attributeByClaims(claims);
    }
  }

  /** Attributes a waiting corrupt line if this entry names its hash. */
  entry({ writer, seq, prev }: ChainLink): void {
    // The first entry of a writer has no entry before it.
    if (seq > 1 && this.#waiting.delete(prev)) {
      this.#chainOf(writer).fail("edited", seq - 1);
    }
  }

  /** Attributes the lines that still wait. The caller calls it after the last entry. */
  finish(): void {
    for (const claims of this.#waiting.values()) {
      this.#attributeByClaims(claims);
    }
  }

  #attributeByClaims({ writer, seq, line }: Claims): void {
    const chain = this.#chainOf(writer ?? UNKNOWN_WRITER);
    if (writer === null || seq === null) {
      chain.fail("unreadable", 0, { line });
    } else {
      chain.fail("edited", seq);
    }
  }
}

import type { ChainLink } from "../chain.ts";
import type { Claims } from "./corrupt-lines.ts";
import type { RecentHashes } from "./recent-hashes.ts";
import type { WriterChain } from "./writer-chain.ts";

/** Stands for the writer of a corrupt line when it cannot be read. */
const UNKNOWN_WRITER = "(unreadable)";

/** At most this many corrupt lines wait for the next entry; further ones are attributed to the place that they claim. */
const MAX_WAITING = 1000;

/**
 * Attributes corrupt lines to a writer and a seq: by the links to the entries before and after, since a change in one
 * place leaves one of the two, and else by what they say.
 */
export class Attribution {
  readonly #recent: RecentHashes;
  readonly #chainOf: (writer: string) => WriterChain;
  /** By the hash that they claim, which the next entry names. */
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
      this.#believe(claims);
    }
  }

  /** The entry that names the hash of a corrupt line says whose it was. */
  entry({ writer, seq, prev }: ChainLink): void {
    // A first entry names none.
    if (seq > 1 && this.#waiting.delete(prev)) {
      this.#chainOf(writer).fail("edited", seq - 1);
    }
  }

  /** No entry follows any more. */
  finish(): void {
    for (const claims of this.#waiting.values()) {
      this.#believe(claims);
    }
  }

  #believe({ writer, seq, line }: Claims): void {
    const chain = this.#chainOf(writer ?? UNKNOWN_WRITER);
    if (writer === null || seq === null) {
      chain.fail("unreadable", 0, { line });
    } else {
      chain.fail("edited", seq);
    }
  }
}

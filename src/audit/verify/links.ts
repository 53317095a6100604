import { GENESIS } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";

/**
 * The relation of an entry to the earlier entries of its writer. `new`: it follows the last entry. `repeat`: it was read
 * before. `gap`: entries between the last entry and this one are missing. `early`: its seq is lower than that of the first
 * entry. `unlinked`: its `prev` is not the hash of the entry before it. `other`: a different entry has its seq.
 */
export type Link = "new" | "repeat" | "gap" | "early" | "unlinked" | "other";

/**
 * Checks the links of one writer's entries in order. Entries may be repeated at any distance. Consecutive repeated entries
 * are linked by `prev`, so a comparison of the last one compares all of them.
 */
export class Links {
  /** The first entry and its `prev`. Seq 0: no entry yet. */
  first = { seq: 0, prev: GENESIS };
  /** The last entry and its hash. */
  last = { seq: 0, hash: GENESIS };
  /** Repeated entries that came too late to be compared. */
  uncompared = 0;
  /** The current run of repeated entries: the last one, and how many of the run are not compared yet. */
  #run = { seq: 0, hash: GENESIS, uncompared: 0 };

  /** Takes the next entry. `remembered`: the hash of an earlier entry with this seq, if it is still known. */
  take({ chain: { seq, prev }, hash }: ParsedEntry, remembered?: string): Link {
    if (this.last.seq > 0 && seq <= this.last.seq) {
      const same = seq === this.last.seq ? this.last.hash : remembered;
      return seq < this.first.seq
        ? "early"
        : this.#repeat(seq, prev, hash, same);
    }
    const isFirst = this.last.seq === 0 && seq > 1;
    if (!isFirst && seq > this.last.seq + 1) {
      return "gap";
    }
    if (!isFirst && prev !== this.last.hash) {
      return "unlinked";
    }
    if (this.first.seq === 0) {
      this.first = { seq, prev };
    }
    this.last = { seq, hash };
    return "new";
  }

  #repeat(seq: number, prev: string, hash: string, same?: string): Link {
    if (same !== undefined && same !== hash) {
      return "other";
    }
    const isNext = this.#run.seq + 1 === seq && this.#run.hash === prev;
    const before = isNext ? this.#run.uncompared : 0;
    const uncompared = same === undefined ? before + 1 : 0;
    this.uncompared += uncompared - before;
    this.#run = { seq, hash, uncompared };
    return "repeat";
  }

  /** Whether the entry has this hash; undefined = unknown. */
  has(seq: number, hash: string, remembered?: string): boolean | undefined {
    const { first, last } = this;
    const same =
      seq === last.seq
        ? last.hash
        : seq === first.seq - 1
          ? first.prev
          : remembered;
    return same === undefined ? undefined : same === hash;
  }
}

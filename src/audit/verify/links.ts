import { GENESIS } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";

/**
 * What an entry is to those of its writer before it. `repeat`: it was there before. `gap`: it is not the next one. `early`:
 * it comes before the first. `unlinked`: it names another hash than that of the entry before it. `other`: another entry is
 * in its place.
 */
export type Link = "new" | "repeat" | "gap" | "early" | "unlinked" | "other";

/**
 * The links of one writer's entries, which come in order. Entries may come again at any distance: those of a run are
 * linked by `prev`, so comparing the last one compares all of them.
 */
export class Links {
  /** The first entry, and the hash that it names; 0 = none yet. */
  first = { seq: 0, prev: GENESIS };
  /** The last entry, and its hash. */
  last = { seq: 0, hash: GENESIS };
  /** Entries that came again too late to be compared. */
  uncompared = 0;
  /** The entries that repeat now: the last one, and how many before it were not compared. */
  #row = { seq: 0, hash: GENESIS, uncompared: 0 };

  /** `known`: the hash of the entry of that number that came before, if it is remembered. */
  take({ chain: { seq, prev }, hash }: ParsedEntry, known?: string): Link {
    if (this.last.seq > 0 && seq <= this.last.seq) {
      const same = seq === this.last.seq ? this.last.hash : known;
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
    const isNext = this.#row.seq + 1 === seq && this.#row.hash === prev;
    const before = isNext ? this.#row.uncompared : 0;
    const uncompared = same === undefined ? before + 1 : 0;
    this.uncompared += uncompared - before;
    this.#row = { seq, hash, uncompared };
    return "repeat";
  }

  /** Whether the entry has this hash; undefined when that is not known. */
  has(seq: number, hash: string, known?: string): boolean | undefined {
    const { first, last } = this;
    const same =
      seq === last.seq ? last.hash : seq === first.seq - 1 ? first.prev : known;
    return same === undefined ? undefined : same === hash;
  }
}

import { GENESIS } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";

/** Entries in a row, each linked to the one before. */
interface Part {
  first: number;
  /** The hash that the first of them names. */
  prev: string;
  seq: number;
  hash: string;
}

/** Each container that prints a writer begins once. */
const MAX_PARTS = 30;

/**
 * One writer's entries out of several streams in one: each begins where it began, and prints what another has printed as
 * well. What is missing between two parts must come before the end.
 */
export class Parts {
  #parts: Part[] = [];

  /** Whether all that came is in one row. */
  isWhole(): boolean {
    return this.#parts.length <= 1;
  }

  /**
   * `known`: the hash of the entry of that number that came before, as far as that is remembered. `unlinked`: it is not the
   * one that the others are linked to.
   */
  take(
    { chain: { seq, prev }, hash }: ParsedEntry,
    known: string | undefined,
  ): "new" | "again" | "unlinked" | "too many" {
    const isOther = known !== undefined && known !== hash;
    if (isOther || (seq === 1 && prev !== GENESIS)) {
      return "unlinked";
    }
    const before = this.#parts.filter((part) => part.seq + 1 === seq);
    if (before.some((part) => part.hash !== prev)) {
      return "unlinked";
    }
    if (known !== undefined) {
      // It is linked to what came again before it: that was the same as well.
      this.#parts = this.#parts.filter((part) => !before.includes(part));
      return "again";
    }
    const [part] = before;
    if (part === undefined) {
      this.#parts.push({ first: seq, prev, seq, hash });
    } else {
      part.seq = seq;
      part.hash = hash;
    }
    if (!this.#join()) {
      return "unlinked";
    }
    return this.#parts.length <= MAX_PARTS ? "new" : "too many";
  }

  /** The first entry that is missing between two parts; null when none is. */
  missing(): number | null {
    const sorted = this.#parts.toSorted((a, b) => a.first - b.first);
    let reached = sorted[0]?.seq ?? 0;
    for (const { first, seq } of sorted) {
      if (first > reached + 1) {
        return reached + 1;
      }
      reached = Math.max(reached, seq);
    }
    return null;
  }

  /** Whether something came again so long after the first time that nobody can tell whether it was the same. */
  isUntold(): boolean {
    const sorted = this.#parts.toSorted((a, b) => a.first - b.first);
    return sorted.some(({ first }, n) => first <= (sorted[n - 1]?.seq ?? 0));
  }

  /** False when two parts meet that are not linked. */
  #join(): boolean {
    for (const part of this.#parts) {
      const next = this.#parts.find(({ first }) => first === part.seq + 1);
      if (next !== undefined) {
        part.seq = next.seq;
        if (next.prev !== part.hash) {
          return false;
        }
        part.hash = next.hash;
        this.#parts = this.#parts.filter((one) => one !== next);
      }
    }
    return true;
  }
}

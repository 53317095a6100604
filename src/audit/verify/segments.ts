import { GENESIS } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";

/** Entries in a row, each linked to the one before. */
interface Segment {
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
 * well. What is missing between two segments must come before the end.
 */
export class Segments {
  #segments: Segment[] = [];

  /** Whether all that came is in one row. */
  isWhole(): boolean {
    return this.#segments.length <= 1;
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
    const before = this.#segments.filter((segment) => segment.seq + 1 === seq);
    if (before.some((segment) => segment.hash !== prev)) {
      return "unlinked";
    }
    if (known !== undefined) {
      // It is linked to what came again before it: that was the same as well.
      this.#segments = this.#segments.filter(
        (segment) => !before.includes(segment),
      );
      return "again";
    }
    const [segment] = before;
    if (segment === undefined) {
      this.#segments.push({ first: seq, prev, seq, hash });
    } else {
      segment.seq = seq;
      segment.hash = hash;
    }
    if (!this.#join()) {
      return "unlinked";
    }
    return this.#segments.length <= MAX_PARTS ? "new" : "too many";
  }

  /** The first entry that is missing between two segments; null when none is. */
  missing(): number | null {
    const sorted = this.#segments.toSorted((a, b) => a.first - b.first);
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
    const sorted = this.#segments.toSorted((a, b) => a.first - b.first);
    return sorted.some(({ first }, n) => first <= (sorted[n - 1]?.seq ?? 0));
  }

  /** False when two segments meet that are not linked. */
  #join(): boolean {
    for (const segment of this.#segments) {
      const next = this.#segments.find(
        ({ first }) => first === segment.seq + 1,
      );
      if (next !== undefined) {
        segment.seq = next.seq;
        if (next.prev !== segment.hash) {
          return false;
        }
        segment.hash = next.hash;
        this.#segments = this.#segments.filter((one) => one !== next);
      }
    }
    return true;
  }
}

/**
 * Entries of one writer that came again in a row: a sink is given them a second time when the process that fed it was killed
 * before it noted how far it had come.
 */
export interface Reprint {
  readonly from: number;
  next: number;
  /** Whether it came up to the last entry that had been there, where what is new goes on. */
  whole: boolean;
  /** Whether a start that is vouched for says that entries may come again from there on. */
  told: boolean;
}

/** A writer is taken up again by the start behind it, and by those behind that if they were killed as well. */
const MAX_REPRINTS = 20;

/** What came again of one writer. */
export class Reprints {
  readonly #reprints: Reprint[] = [];

  /** `last`: the last entry that is there. False when they are too many to be anything but tampering. */
  add(seq: number, last: number): boolean {
    let reprint = this.#reprints.at(-1);
    if (reprint?.next !== seq) {
      reprint = { from: seq, next: seq, whole: false, told: false };
      this.#reprints.push(reprint);
    }
    reprint.next = seq + 1;
    reprint.whole = reprint.next > last;
    return this.#reprints.length <= MAX_REPRINTS;
  }

  /** The one so far that begins with this entry, and that no start has spoken of. */
  from(seq: number): Reprint | undefined {
    return this.#reprints.find(({ from, told }) => from === seq && !told);
  }

  /** The first of them; null = there is none. */
  first(): number | null {
    return this.#reprints[0]?.from ?? null;
  }

  /** The first one that no start speaks of, or that breaks off though nothing takes it up again; null = there is none. */
  firstUntold(): number | null {
    const untold = this.#reprints.find(({ next, whole, told }, n) => {
      const takenUp = (this.#reprints[n + 1]?.from ?? Infinity) <= next;
      return !told || !(whole || takenUp);
    });
    return untold?.from ?? null;
  }
}

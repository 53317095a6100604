const DAY_MS = 86_400_000;

/** The part of a day's bytes that may be written at once. The rest refills evenly, so no 24 hours exceed the day's limit. */
const BURST = 1 / 4;

/** The part of the burst that is reserved for addresses without a recent entry, so that one address cannot use it all. */
const RESERVE = 1 / 16;

/**
 * A limit of bytes a day that refills steadily. After a flood, entries are written again within a short time, however long
 * the flood was.
 */
export class ByteBudget {
  readonly #bytesPerMs: number;
  readonly #burst: number;
  #left: number;
  #at: number;

  /** `at`: milliseconds of the clock that all later calls use. */
  constructor(bytesPerDay: number, at: number, left = bytesPerDay * BURST) {
    this.#burst = bytesPerDay * BURST;
    this.#bytesPerMs = (bytesPerDay - this.#burst) / DAY_MS;
    this.#left = left;
    this.#at = at;
  }

  /** Returns the bytes that may be written at this time. A time before the last one refills nothing. */
  left(at: number): number {
    const elapsed = Math.max(0, at - this.#at);
    this.#left = Math.min(this.#burst, this.#left + elapsed * this.#bytesPerMs);
    this.#at = Math.max(at, this.#at);
    return this.#left;
  }

  /** Takes the bytes, if enough are left. `isFirst`: the address has no recent entry and may use the reserve. */
  take(bytes: number, at: number, isFirst: boolean): boolean {
    const reserve = isFirst ? 0 : this.#burst * RESERVE;
    if (this.left(at) - bytes < reserve) {
      return false;
    }
    this.#left -= bytes;
    return true;
  }

  /** Takes bytes that have already been written. */
  charge(bytes: number, at: number): void {
    this.#left = Math.max(0, this.left(at) - bytes);
  }
}

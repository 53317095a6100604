import type { EntryPlace } from "../chain.ts";

/**
 * The number of remembered hashes. It is larger than the number of entries that a killed process can write to a sink twice.
 */
const MAX_RECENT = 20_000;

/** Remembers the hashes of the newest entries of all writers. Their number is fixed, however long the trail is. */
export class RecentHashes {
  readonly #hashes = new Map<string, string>();
  readonly #places = new Map<string, EntryPlace>();
  /** A ring of the keys. The more keys of a Map were deleted, the longer it takes to find its oldest key. */
  readonly #keys: string[] = [];
  #oldest = 0;

  add(writer: string, seq: number, hash: string): void {
    const key = `${writer}:${seq}`;
    const dropped = this.#keys[this.#oldest] ?? "";
    this.#places.delete(this.#hashes.get(dropped) ?? "");
    this.#hashes.delete(dropped);
    this.#keys[this.#oldest] = key;
    this.#oldest = (this.#oldest + 1) % MAX_RECENT;
    this.#hashes.set(key, hash);
    this.#places.set(hash, { writer, seq });
  }

  get(writer: string, seq: number): string | undefined {
    return this.#hashes.get(`${writer}:${seq}`);
  }

  /** Returns the place of the entry with this hash. */
  placeOf(hash: string): EntryPlace | undefined {
    return this.#places.get(hash);
  }
}

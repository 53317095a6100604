import type { EntryPlace } from "../chain.ts";

/** More than a process can have given to a sink without noting it. */
const MAX_RECENT = 20_000;

/** The hashes of the entries that were taken last, over all writers: a fixed number, however long the trail is. */
export class RecentHashes {
  readonly #hashes = new Map<string, string>();
  readonly #places = new Map<string, EntryPlace>();
  /** A ring of the keys. Asking a Map for its oldest key takes longer the more were deleted. */
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

  /** The place of the entry that has this hash. */
  placeOf(hash: string): EntryPlace | undefined {
    return this.#places.get(hash);
  }
}

import type { EntryPlace } from "../chain.ts";

/** Hashes of the entries that were taken last, over all writers. */
export interface Recent {
  add(writer: string, seq: number, hash: string): void;
  get(writer: string, seq: number): string | undefined;
  /** Whose hash it is. */
  placeOf(hash: string): EntryPlace | undefined;
}

/** So many are remembered: more than a process can have given to a sink without noting it. */
const MAX_RECENT = 20_000;

export function createRecent(): Recent {
  const hashes = new Map<string, string>();
  const places = new Map<string, EntryPlace>();
  /** A ring of the names in it. Asking a Map for its oldest one takes longer the more were deleted. */
  const names: string[] = [];
  let oldest = 0;
  return {
    add(writer, seq, hash) {
      const name = `${writer}:${seq}`;
      const gone = names[oldest] ?? "";
      places.delete(hashes.get(gone) ?? "");
      hashes.delete(gone);
      names[oldest] = name;
      oldest = (oldest + 1) % MAX_RECENT;
      hashes.set(name, hash);
      places.set(hash, { writer, seq });
    },
    get: (writer, seq) => hashes.get(`${writer}:${seq}`),
    placeOf: (hash) => places.get(hash),
  };
}

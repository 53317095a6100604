import type { ChainHead, ChainLink } from "./chain.ts";

const PLACE =
  /"chain":\{"writer":"([^"]*)","seq":(\d+),"prev":"([0-9a-f]{64})"\},"hash":"([0-9a-f]{64})"\}$/;

/** A stored entry. Positions increase in commit order across all writers. */
export interface StoredEntry {
  readonly position: number;
  readonly writer: string;
  readonly line: string;
}

/** Reads the place of a line's entry without parsing the rest. Returns NaN and empty strings if the line has none. */
export function placeOfLine(line: string): ChainLink & ChainHead {
  const [, writer = "", seq, prev = "", hash = ""] = PLACE.exec(line) ?? [];
  return { writer, seq: Number(seq), prev, hash };
}

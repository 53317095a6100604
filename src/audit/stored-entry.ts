import type { ChainHead, ChainLink } from "./chain.ts";

const PLACE =
  /"chain":\{"writer":"([^"]*)","seq":(\d+),"prev":"([0-9a-f]{64})"\},"hash":"([0-9a-f]{64})"\}$/;

/** A stored entry. Positions grow in the order of commits, over all writers. */
export interface StoredEntry {
  readonly position: number;
  readonly writer: string;
  readonly line: string;
}

/** The place that a line claims, without parsing the rest; NaN and empty texts when it claims none. */
export function placeOfLine(line: string): ChainLink & ChainHead {
  const [, writer = "", seq, prev = "", hash = ""] = PLACE.exec(line) ?? [];
  return { writer, seq: Number(seq), prev, hash };
}

import type { ChainHead } from "./chain.ts";

const HEAD = /^([^:]{1,64}):(\d{1,15}):([0-9a-f]{64})$/i;

/** Reads `WRITER:SEQ:HASH`, the form of a head and of a line of an anchor file. Returns null for anything else. */
export function readHead(text: string): ChainHead | null {
  const [, writer, seq, hash] = HEAD.exec(text) ?? [];
  return writer === undefined || seq === undefined || hash === undefined
    ? null
    : { writer, seq: Number(seq), hash: hash.toLowerCase() };
}

/** Returns `WRITER:SEQ:HASH` for an entry. */
export function headText({ writer, seq, hash }: ChainHead): string {
  return `${writer}:${seq}:${hash}`;
}

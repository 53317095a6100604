import {
  type ChainHead,
  GENESIS,
  hashLine,
  splitHash,
} from "../core/audit-chain.ts";
import { parseEntry } from "./entry.ts";

/** The first thing that is wrong with the chain of a writer. */
export interface ChainFault {
  readonly writer: string;
  readonly seq: number;
  readonly what:
    | "edited"
    | "missing"
    | "out of order"
    | "not linked to the entry before"
    | "cut off"
    | "unreadable";
}

/** What is known of one writer's chain. */
export interface WriterReport {
  readonly writer: string;
  /** Entries that were intact, counted up to the first fault. */
  readonly entries: number;
  /** The last of them; 0 = none. */
  readonly lastSeq: number;
  readonly fault: ChainFault | null;
}

export interface TrailReport {
  readonly writers: readonly WriterReport[];
  readonly entries: number;
  /** Lines that are no entries, such as those of another program in the same stream. */
  readonly skipped: number;
}

export interface TrailVerifier {
  /** Takes the next line, with or without the `[AUDIT] ` prefix. */
  line(text: string): void;
  /** Holds what was read against heads known from elsewhere: a chain that ends before its head was cut off. */
  finish(heads: readonly ChainHead[]): TrailReport;
}

interface WriterState {
  seq: number;
  hash: string;
  entries: number;
  fault: ChainFault | null;
  /** Heads to be met: hash by seq. */
  awaited: Map<number, string>;
}

const PREFIX = "[AUDIT] ";
const ENTRY_START = '{"timestamp":"';

/** Nobody to put it down to: a line that looks like an entry and is none. */
const UNKNOWN_WRITER = "(unreadable)";

/** Verifies the chains of a trail line by line, in memory that grows with the number of writers alone. */
export function createTrailVerifier(
  heads: readonly ChainHead[] = [],
): TrailVerifier {
  const writers = new Map<string, WriterState>();
  let entries = 0;
  let skipped = 0;

  function stateOf(writer: string): WriterState {
    let state = writers.get(writer);
    if (state === undefined) {
      const awaited = new Map(
        heads
          .filter((head) => head.writer === writer)
          .map((head) => [head.seq, head.hash]),
      );
      state = { seq: 0, hash: GENESIS, entries: 0, fault: null, awaited };
      writers.set(writer, state);
    }
    return state;
  }

  function entry(line: string): void {
    const parsed = parseEntry(line);
    const split = splitHash(line);
    if (parsed === null || split === null) {
      const state = stateOf(UNKNOWN_WRITER);
      state.fault ??= fault(UNKNOWN_WRITER, entries, "unreadable");
      return;
    }
    const { writer, seq, prev } = parsed.chain;
    const state = stateOf(writer);
    if (state.fault !== null) {
      return;
    }
    const expected = state.seq + 1;
    if (hashLine(split.covered) !== split.claimed) {
      state.fault = fault(writer, seq, "edited");
    } else if (seq > expected) {
      state.fault = fault(writer, expected, "missing");
    } else if (seq < expected) {
      state.fault = fault(writer, seq, "out of order");
    } else if (prev !== state.hash) {
      state.fault = fault(writer, seq, "not linked to the entry before");
    } else if ((state.awaited.get(seq) ?? split.claimed) !== split.claimed) {
      state.fault = fault(writer, seq, "edited");
    } else {
      state.seq = seq;
      state.hash = split.claimed;
      state.entries += 1;
    }
  }

  return {
    line(text) {
      const bare = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
      if (bare === text && !text.startsWith(ENTRY_START)) {
        skipped += 1;
        return;
      }
      entries += 1;
      entry(bare);
    },
    finish(ends) {
      for (const { writer, seq } of [...heads, ...ends]) {
        const state = stateOf(writer);
        if (state.fault === null && state.seq < seq) {
          state.fault = fault(writer, state.seq + 1, "cut off");
        }
      }
      for (const { writer, seq, hash } of ends) {
        const state = stateOf(writer);
        if (state.fault === null && state.seq === seq && state.hash !== hash) {
          state.fault = fault(writer, seq, "edited");
        }
      }
      return {
        entries,
        skipped,
        writers: [...writers].map(([writer, state]) => ({
          writer,
          entries: state.entries,
          lastSeq: state.seq,
          fault: state.fault,
        })),
      };
    },
  };
}

function fault(
  writer: string,
  seq: number,
  what: ChainFault["what"],
): ChainFault {
  return { writer, seq, what };
}

import {
  type ChainHead,
  GENESIS,
  hashLine,
  splitHash,
} from "../core/audit-chain.ts";
import { parseEntry, type ParsedEntry } from "./entry.ts";

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
    | "gone with all its entries"
    | "without a head in the store"
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
  /** Takes the next line of a stream, with or without the `[AUDIT] ` prefix; other lines are counted and skipped. */
  line(text: string): void;
  /** Takes the next line of a store, where every line must be an entry. */
  entry(line: string): void;
  /**
   * Holds what was read against what else is known. `store` is the store's own table of heads, as it was before the
   * first line was read and after the last: with it the trail must be whole.
   */
  finish(store?: {
    before: readonly ChainHead[];
    after: readonly ChainHead[];
  }): TrailReport;
}

interface WriterState {
  seq: number;
  hash: string;
  entries: number;
  fault: ChainFault | null;
}

const PREFIX = "[AUDIT] ";
const ENTRY_START = '{"timestamp":"';

/** Nobody to put it down to: a line that looks like an entry and is none. */
const UNKNOWN_WRITER = "(unreadable)";

/**
 * Verifies the chains of a trail line by line, in memory that grows with the number of writers alone. `heads` are entries
 * known from elsewhere that must be there; the heads that an intact `server.started` names must be there too, in a stream
 * only for writers of which it has entries at all.
 */
export function createTrailVerifier(
  heads: readonly ChainHead[] = [],
): TrailVerifier {
  const writers = new Map<string, WriterState>();
  /** The furthest head that the trail itself names of each writer. */
  const named = new Map<string, ChainHead>();
  let entries = 0;
  let skipped = 0;

  function stateOf(writer: string): WriterState {
    let state = writers.get(writer);
    if (state === undefined) {
      state = { seq: 0, hash: GENESIS, entries: 0, fault: null };
      writers.set(writer, state);
    }
    return state;
  }

  function entry(line: string): void {
    entries += 1;
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
    const known = heads.find(
      (head) => head.writer === writer && head.seq === seq,
    );
    if (hashLine(split.covered) !== split.claimed) {
      state.fault = fault(writer, seq, "edited");
    } else if (seq > expected) {
      state.fault = fault(writer, expected, "missing");
    } else if (seq < expected) {
      state.fault = fault(writer, seq, "out of order");
    } else if (prev !== state.hash) {
      state.fault = fault(writer, seq, "not linked to the entry before");
    } else if (known !== undefined && known.hash !== split.claimed) {
      state.fault = fault(writer, seq, "edited");
    } else {
      state.seq = seq;
      state.hash = split.claimed;
      state.entries += 1;
      noteNamedHeads(parsed);
    }
  }

  function noteNamedHeads({ action, metadata }: ParsedEntry): void {
    if (action !== "server.started" || !Array.isArray(metadata["heads"])) {
      return;
    }
    for (const head of metadata["heads"] as ChainHead[]) {
      if (head.seq > (named.get(head.writer)?.seq ?? 0)) {
        named.set(head.writer, head);
      }
    }
  }

  /** A chain that ends before a head of it was cut off there; one that ends on it must have its hash. */
  function meet({ writer, seq, hash }: ChainHead): void {
    const state = stateOf(writer);
    if (state.fault !== null) {
      return;
    }
    if (state.entries === 0) {
      state.fault = fault(writer, 1, "gone with all its entries");
    } else if (state.seq < seq) {
      state.fault = fault(writer, state.seq + 1, "cut off");
    } else if (state.seq === seq && state.hash !== hash) {
      state.fault = fault(writer, seq, "edited");
    }
  }

  return {
    entry,
    line(text) {
      const bare = text.startsWith(PREFIX) ? text.slice(PREFIX.length) : text;
      if (bare === text && !text.startsWith(ENTRY_START)) {
        skipped += 1;
        return;
      }
      entry(bare);
    },
    finish(store) {
      heads.forEach(meet);
      for (const head of named.values()) {
        if (store !== undefined || writers.has(head.writer)) {
          meet(head);
        }
      }
      if (store !== undefined) {
        store.before.forEach(meet);
        const noted = new Set(
          [...store.before, ...store.after].map(({ writer }) => writer),
        );
        for (const [writer, state] of writers) {
          if (!noted.has(writer)) {
            state.fault ??= fault(
              writer,
              state.seq,
              "without a head in the store",
            );
          }
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

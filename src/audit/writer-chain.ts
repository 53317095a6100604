import { CHECKPOINT_EVERY, GENESIS } from "../core/audit-chain.ts";
import { isSigned } from "../core/checkpoint.ts";
import { type ParsedEntry } from "../core/parsed-entry.ts";

/** The first thing that is wrong with the chain of a writer. */
export interface ChainFault {
  readonly writer: string;
  readonly seq: number;
  readonly what:
    | "edited"
    | "missing"
    | "doubled"
    | "reordered"
    | "inserted"
    | "re-hashed but not re-signed"
    | "not signed"
    | "signed with another key"
    | "cut off"
    | "gone with all its entries"
    | "without a head in the store"
    | "unreadable";
  /** The first entry that may be meant, where a checkpoint at `seq` does not vouch for those before it. */
  readonly from?: number;
}

/** Entries that are not there: from `seq` to the one before `next`, which names `prev` as the hash of the last of them. */
export interface Gap {
  readonly seq: number;
  readonly next: number;
  readonly prev: string;
}

/** Hashes of the entries that were taken last, over all writers. */
export interface Recent {
  add(writer: string, seq: number, hash: string): void;
  get(writer: string, seq: number): string | undefined;
}

/** So many are remembered: more than a process can have given to a sink without noting it. */
const MAX_RECENT = 20_000;

export function createRecent(): Recent {
  const hashes = new Map<string, string>();
  /** A ring of the names in it. Asking a Map for its oldest one takes longer the more were deleted. */
  const names: string[] = [];
  let oldest = 0;
  return {
    add(writer, seq, hash) {
      const name = `${writer}:${seq}`;
      hashes.delete(names[oldest] ?? "");
      names[oldest] = name;
      oldest = (oldest + 1) % MAX_RECENT;
      hashes.set(name, hash);
    },
    get: (writer, seq) => hashes.get(`${writer}:${seq}`),
  };
}

/** The chain of one writer as far as it was read. Entries come to it whose own hash is right. */
export class WriterChain {
  readonly writer: string;
  readonly #recent: Recent;
  /** Entries that are in their place. */
  entries = 0;
  /** The last of them. */
  seq = 0;
  hash = GENESIS;
  /** The first of them; 0 = none. */
  firstSeq = 0;
  /** Up to here a checkpoint vouches for them. */
  anchoredTo = 0;
  /** The key that its checkpoints are signed with; null = it has none. */
  publicKey: string | null = null;
  /** The first checkpoint whose time is not signed. */
  lax: number | null = null;
  fault: ChainFault | null = null;
  /** To be vouched for by what the retention says, else a fault. */
  gap: Gap | null = null;
  /** The first entry that came twice; to be vouched for by what a start says, else a fault. */
  doubled: number | null = null;
  /** Whether its last entry is the checkpoint behind its stop. */
  ended = false;
  #stopped = false;
  /** The key that its first entry names: then its second is a checkpoint, and checkpoints sign their time too. */
  #declaredKey: string | null = null;
  #checkpointSeq = 0;
  /** The entry that is not linked to the one before. */
  #unlinked: string | null = null;

  constructor(writer: string, recent: Recent) {
    this.writer = writer;
    this.#recent = recent;
  }

  /** Whether the entry is the next one. What is wrong goes into `fault`. */
  take(entry: ParsedEntry): boolean {
    const { seq, prev } = entry.chain;
    if (this.fault !== null) {
      this.#refineFault(entry);
      return false;
    }
    const expected = this.seq + 1;
    if (seq < expected) {
      this.#comeLate(seq, entry.hash);
      return false;
    }
    if (seq > expected && this.gap !== null) {
      this.fail("missing", expected);
      return false;
    }
    if (seq > expected) {
      this.gap = { seq: expected, next: seq, prev };
    } else if (prev !== this.hash) {
      this.#unlinked = entry.hash;
      this.fail("inserted", seq);
      return false;
    }
    this.firstSeq ||= seq;
    this.seq = seq;
    this.hash = entry.hash;
    this.entries += 1;
    this.ended = this.#stopped && entry.action === "audit.checkpoint";
    this.#stopped = entry.action === "server.stopped";
    this.#recent.add(this.writer, seq, entry.hash);
    return true;
  }

  /** Says what is wrong, unless something before was. */
  fail(what: ChainFault["what"], seq: number, from?: number): void {
    this.fault ??= {
      writer: this.writer,
      seq,
      what,
      ...(from === undefined ? {} : { from }),
    };
  }

  /** The key that its first entry names. */
  declareKey(publicKey: string): void {
    this.#declaredKey = publicKey;
  }

  /** An entry that was taken and is no checkpoint: there must be one every so often where there has been one at all. */
  expectCheckpoint(seq: number): void {
    const late = seq - Math.max(this.#checkpointSeq, this.firstSeq - 1);
    const missed = this.#declaredKey !== null && seq === 2;
    if (missed || (this.anchoredTo > 0 && late > CHECKPOINT_EVERY)) {
      this.fail("not signed", seq);
    }
  }

  /** A checkpoint that was taken: anchors what is before it, or shows that it does not. `trusted`: null = any key. */
  anchor(entry: ParsedEntry, trusted: ReadonlySet<string> | null): void {
    const { publicKey, timestampSignature } = entry.metadata;
    const from = this.anchoredTo + 1;
    const { seq } = entry.chain;
    if (!isSigned(entry, { strict: this.#declaredKey !== null })) {
      this.fail("re-hashed but not re-signed", seq, from);
      return;
    }
    const key = String(publicKey);
    const own = this.publicKey ?? this.#declaredKey ?? key;
    if (key !== own || trusted?.has(key) === false) {
      this.fail("signed with another key", seq);
      return;
    }
    if (timestampSignature === undefined) {
      this.lax ??= seq;
    }
    this.publicKey = key;
    this.anchoredTo = seq;
    this.#checkpointSeq = seq;
  }

  /** Whether the entry is known and has this hash; null when nothing can be told of it. */
  has(seq: number, hash: string): boolean | null {
    const known =
      seq === this.seq
        ? this.hash
        : seq === (this.gap?.next ?? 0) - 1
          ? this.gap?.prev
          : this.#recent.get(this.writer, seq);
    return known === undefined ? null : known === hash;
  }

  /** The trail or somebody says that there was an entry of this number. */
  mustReach(seq: number): void {
    if (this.entries === 0) {
      this.fail("gone with all its entries", 1);
    } else if (seq > this.seq) {
      this.fail("cut off", this.seq + 1);
    }
  }

  /** An entry from before the last one that was taken. */
  #comeLate(seq: number, hash: string): void {
    const { gap } = this;
    if (gap !== null && seq >= gap.seq && seq < gap.next) {
      this.fail("reordered", seq);
      return;
    }
    const known = this.#recent.get(this.writer, seq);
    if (known === hash) {
      this.doubled = Math.min(this.doubled ?? seq, seq);
    } else {
      this.fail(known === undefined ? "reordered" : "inserted", seq);
    }
  }

  /** What comes behind a fault may tell what it was. */
  #refineFault({ chain, hash }: ParsedEntry): void {
    const { fault } = this;
    if (chain.seq === fault?.seq && fault.what === "cut off") {
      this.fault = { ...fault, what: "reordered" };
    }
    if (chain.seq === fault?.seq && fault.what === "not signed") {
      this.fault = { ...fault, what: "inserted" };
    }
    // The chain goes on behind the entry that was not linked: it is the one before that was changed, and hashed again.
    if (this.#unlinked !== null && chain.prev === this.#unlinked) {
      this.fault = { writer: this.writer, seq: this.seq, what: "edited" };
    }
    if (hash !== this.#unlinked) {
      this.#unlinked = null;
    }
  }
}

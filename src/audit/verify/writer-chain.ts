import { CHECKPOINT_EVERY, GENESIS } from "../chain.ts";
import { isSigned } from "../checkpoint.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { ChainFault } from "./chain-fault.ts";
import { Segments } from "./segments.ts";
import type { Recent } from "./recent.ts";
import { Reprints } from "./reprints.ts";

/** A writer that begins late: with `next`, which names `prev` as the hash of the one before. */
export interface LateBeginning {
  readonly next: number;
  readonly prev: string;
}

/** The chain of one writer as far as it was read. Entries come to it whose own hash is right. */
export class WriterChain {
  readonly writer: string;
  readonly #recent: Recent;
  /** Where several streams may be in one; null = where entries come in order. */
  readonly #segments: Segments | null;
  /** What came again. */
  readonly reprints = new Reprints();
  #entries = 0;
  #firstSeq = 0;
  #seq = 0;
  #hash = GENESIS;
  #anchoredTo = 0;
  #publicKey: string | null = null;
  #firstUnsignedTime: number | null = null;
  #fault: ChainFault | null = null;
  #late: LateBeginning | null = null;
  #ended = false;
  #stopped = false;
  /** The key that its first entry names: then its second is a checkpoint, and checkpoints sign their time too. */
  #declaredKey: string | null = null;
  #checkpointSeq = 0;
  /** The entry that is not linked to the one before. */
  #unlinked: string | null = null;

  /** `partial`: the lines may be those of several streams in one. */
  constructor(writer: string, recent: Recent, options: { partial: boolean }) {
    this.writer = writer;
    this.#recent = recent;
    this.#segments = options.partial ? new Segments() : null;
  }

  /** Entries that are in their place. */
  get entries(): number {
    return this.#entries;
  }

  /** The first of them; 0 = none. */
  get firstSeq(): number {
    return this.#firstSeq;
  }

  /** The last of them. */
  get seq(): number {
    return this.#seq;
  }

  get hash(): string {
    return this.#hash;
  }

  /** Up to here a checkpoint vouches for them. */
  get anchoredTo(): number {
    return this.#anchoredTo;
  }

  /** The key that its checkpoints are signed with; null = it has none. */
  get publicKey(): string | null {
    return this.#publicKey;
  }

  /** The first checkpoint whose time is not signed. */
  get firstUnsignedTime(): number | null {
    return this.#firstUnsignedTime;
  }

  get fault(): ChainFault | null {
    return this.#fault;
  }

  /** To be vouched for, else a fault. */
  get lateBeginning(): LateBeginning | null {
    return this.#late;
  }

  /** Whether its last entry is the checkpoint behind its stop. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Whether something came again that nobody can compare with what came first. */
  get untold(): boolean {
    return this.#segments?.isUntold() === true;
  }

  /** Whether the entry is in its place and was not there before. What is wrong goes into `fault`. */
  take(entry: ParsedEntry): boolean {
    const { seq } = entry.chain;
    if (this.#fault !== null) {
      this.#refineFault(entry);
      return false;
    }
    if (this.#ended && seq > this.#seq) {
      // Nothing comes behind the checkpoint that ends a writer.
      this.fail("inserted", seq);
      return false;
    }
    const taken =
      this.#segments === null
        ? this.#takeNext(entry)
        : this.#takePart(entry, this.#segments);
    if (taken) {
      this.#entries += 1;
      this.#recent.add(this.writer, seq, entry.hash);
      if (seq > this.#seq) {
        this.#seq = seq;
        this.#hash = entry.hash;
        this.#ended = this.#stopped && entry.action === "audit.checkpoint";
        this.#stopped = entry.action === "server.stopped";
      }
    }
    return taken;
  }

  #takeNext(entry: ParsedEntry): boolean {
    const { seq, prev } = entry.chain;
    const expected = this.#seq + 1;
    if (seq < expected) {
      this.#comeLate(seq, entry.hash);
      return false;
    }
    if (seq > expected && this.#entries > 0) {
      this.fail("missing", expected);
      return false;
    }
    if (seq > expected) {
      this.#late = { next: seq, prev };
    } else if (prev !== this.#hash) {
      this.#unlinked = entry.hash;
      this.fail("inserted", seq);
      return false;
    }
    this.#firstSeq ||= seq;
    return true;
  }

  #takePart(entry: ParsedEntry, segments: Segments): boolean {
    const { seq, prev } = entry.chain;
    switch (segments.take(entry, this.#recent.get(this.writer, seq))) {
      case "unlinked":
        this.fail("inserted", seq);
        return false;
      case "too many":
        this.fail("missing", seq);
        return false;
      case "again":
        return false;
      case "new":
        if (this.#entries === 0 || seq < this.#firstSeq) {
          this.#firstSeq = seq;
          this.#late = seq > 1 ? { next: seq, prev } : null;
        }
        return true;
    }
  }

  /** Says what is wrong, unless something before was. */
  fail(
    what: ChainFault["what"],
    seq: number,
    more: Pick<ChainFault, "from" | "line"> = {},
  ): void {
    this.#fault ??= { writer: this.writer, seq, what, ...more };
  }

  /** The key that its first entry names. */
  declareKey(publicKey: string): void {
    this.#declaredKey = publicKey;
  }

  /** An entry that was taken and is no checkpoint: there must be one every so often where there has been one at all. */
  expectCheckpoint(seq: number): void {
    const late = seq - Math.max(this.#checkpointSeq, this.#firstSeq - 1);
    const missed = this.#declaredKey !== null && seq === 2;
    const expected =
      this.#anchoredTo > 0 && this.#segments?.isWhole() !== false;
    if (missed || (expected && late > CHECKPOINT_EVERY)) {
      this.fail("not signed", seq);
    }
  }

  /** A checkpoint that was taken: anchors what is before it, or shows that it does not. `trusted`: null = any key. */
  anchor(entry: ParsedEntry, trusted: ReadonlySet<string> | null): void {
    const { publicKey, timestampSignature } = entry.metadata;
    const { seq } = entry.chain;
    if (!isSigned(entry, { strict: this.#declaredKey !== null })) {
      this.#failBehindAnchor("re-hashed but not re-signed", seq);
      return;
    }
    const key = String(publicKey);
    const own = this.#publicKey ?? this.#declaredKey ?? key;
    if (key !== own || trusted?.has(key) === false) {
      this.fail("signed with another key", seq);
      return;
    }
    if (timestampSignature === undefined) {
      this.#firstUnsignedTime ??= seq;
    }
    this.#publicKey = key;
    this.anchorUpTo(seq);
    this.#checkpointSeq = Math.max(this.#checkpointSeq, seq);
  }

  /** Something that is signed vouches for the entries up to this one. */
  anchorUpTo(seq: number): void {
    this.#anchoredTo = Math.max(this.#anchoredTo, seq);
  }

  /** The entry is known to have another hash. */
  contradict(seq: number): void {
    if (seq > this.#anchoredTo) {
      this.#failBehindAnchor("re-hashed but not re-signed", seq);
    } else {
      this.fail("edited", seq);
    }
  }

  /** Whether the entry is known and has this hash; null when nothing can be told of it. */
  has(seq: number, hash: string): boolean | null {
    const known =
      seq === this.#seq
        ? this.#hash
        : seq === (this.#late?.next ?? 0) - 1
          ? this.#late?.prev
          : this.#recent.get(this.writer, seq);
    return known === undefined ? null : known === hash;
  }

  /** The trail or somebody says that there was an entry of this number. */
  mustReach(seq: number): void {
    if (this.#entries === 0) {
      this.fail("gone with all its entries", 1);
    } else if (seq > this.#seq) {
      this.fail("cut off", this.#seq + 1);
    }
  }

  /**
   * Judges what could not be judged before the end. `late`: somebody vouches for its late beginning. `whole`: this is a
   * store, where nothing comes twice. `timesSigned`: checkpoints of this trail sign their time.
   */
  settle(facts: { late: boolean; whole: boolean; timesSigned: boolean }): void {
    const again = facts.whole
      ? this.reprints.first()
      : this.reprints.firstUntold();
    const missing = this.#segments?.missing() ?? null;
    if (this.#late !== null && !facts.late) {
      this.#failFromStart();
    } else if (again !== null) {
      this.fail("doubled", again);
    } else if (missing !== null) {
      this.fail("missing", missing);
    } else if (
      this.#late !== null &&
      this.#firstUnsignedTime !== null &&
      facts.timesSigned
    ) {
      // Its start, which says that times are signed, is not there; those of others say it all the same.
      this.fail("re-hashed but not re-signed", this.#firstUnsignedTime);
    }
  }

  /** The beginning is not there: that comes before whatever else was found, and nothing vouches for what hangs in the air. */
  #failFromStart(): void {
    const fault = this.#fault;
    const reordered = fault?.what === "reordered" && fault.seq < this.#firstSeq;
    if (!reordered) {
      this.#fault = { writer: this.writer, seq: 1, what: "missing" };
    }
    this.#anchoredTo = 0;
  }

  #failBehindAnchor(what: ChainFault["what"], seq: number): void {
    this.fail(what, seq, { from: this.#anchoredTo + 1 });
  }

  /** An entry from before the last one that was taken. */
  #comeLate(seq: number, hash: string): void {
    const known = this.#recent.get(this.writer, seq);
    if (known === hash) {
      if (!this.reprints.add(seq, this.#seq)) {
        this.fail("doubled", seq);
      }
    } else {
      this.fail(known === undefined ? "reordered" : "inserted", seq);
    }
  }

  /** What comes behind a fault may tell what it was. */
  #refineFault({ chain, hash }: ParsedEntry): void {
    const fault = this.#fault;
    if (chain.seq === fault?.seq) {
      if (fault.what === "cut off" || fault.what === "missing") {
        this.#fault = { ...fault, what: "reordered" };
      } else if (fault.what === "not signed") {
        this.#fault = { ...fault, what: "inserted" };
      }
    }
    // The chain goes on behind the entry that was not linked: it is the one before that was changed, and hashed again.
    if (this.#unlinked !== null && chain.prev === this.#unlinked) {
      this.#fault = { writer: this.writer, seq: this.#seq, what: "edited" };
    }
    if (hash !== this.#unlinked) {
      this.#unlinked = null;
    }
  }
}

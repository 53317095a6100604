import type { ParsedEntry } from "../parsed-entry.ts";
import type { Fault, FaultCode } from "./fault.ts";
import { type Link, Links } from "./links.ts";
import type { RecentHashes } from "./recent-hashes.ts";
import { WriterSignatures } from "./writer-signatures.ts";

/** The entries of one writer, as far as they were read, up to its first fault. */
export class WriterChain {
  readonly writer: string;
  readonly links = new Links();
  readonly signatures = new WriterSignatures();
  /** Entries that are in their place, and those that were there before. */
  entries = 0;
  repeats = 0;
  /** The last entry that a head, an anchor or a signed start of another writer has too. */
  confirmedTo = 0;
  /** Whether the checkpoint after its stop is its last entry. */
  ended = false;
  fault: Fault | null = null;
  readonly #recent: RecentHashes;
  #stopped = false;

  constructor(writer: string, recent: RecentHashes) {
    this.writer = writer;
    this.#recent = recent;
  }

  get seq(): number {
    return this.links.last.seq;
  }

  /** The entry that it begins with, when that is not its first. */
  get lateBeginning(): { readonly seq: number; readonly prev: string } | null {
    return this.links.first.seq > 1 ? this.links.first : null;
  }

  /** Takes an entry whose own hash is right. True when it is in its place and was not there before. */
  take(entry: ParsedEntry): boolean {
    const { seq } = entry.chain;
    if (this.fault !== null) {
      if (this.fault.code === "missing" && this.fault.seq === seq) {
        this.fault = { ...this.fault, code: "reordered" };
      }
      return false;
    }
    const known = this.#recent.get(this.writer, seq);
    const link =
      this.ended && seq > this.seq ? "other" : this.links.take(entry, known);
    if (link === "new") {
      this.entries += 1;
      this.#recent.add(this.writer, seq, entry.hash);
      this.ended = this.#stopped && entry.action === "audit.checkpoint";
      this.#stopped = entry.action === "server.stopped";
    } else {
      this.#takeOther(link, seq);
    }
    return link === "new";
  }

  #takeOther(link: Exclude<Link, "new">, seq: number): void {
    switch (link) {
      case "repeat":
        this.repeats += 1;
        return;
      case "gap":
        this.fail("missing", this.seq + 1);
        return;
      case "early":
        this.fail("reordered", seq);
        return;
      case "unlinked":
        this.fail("unlinked", seq, { from: Math.max(1, seq - 1) });
        return;
      case "other":
        this.fail("inserted", seq);
    }
  }

  /** Notes what is wrong, unless something before was. */
  fail(
    code: FaultCode,
    seq: number,
    more: Pick<Fault, "from" | "line"> = {},
  ): void {
    this.fault ??= { code, writer: this.writer, seq, ...more };
  }

  /** A signature or a known hash does not fit: something after the last anchored entry was changed. */
  failSignature(code: FaultCode, seq: number): void {
    this.fail(code, seq, { from: this.signatures.anchoredTo + 1 });
  }

  /** Compares an entry with a hash that it is known to have. True when it has it. */
  hasHash(seq: number, hash: string): boolean {
    const has = this.links.has(seq, hash, this.#recent.get(this.writer, seq));
    if (has === false && seq > this.signatures.anchoredTo) {
      this.failSignature("head_mismatch", seq);
    } else if (has === false) {
      this.fail("head_mismatch", seq);
    }
    return has === true;
  }

  /** A head, an anchor or a signed start of another writer has the entry, with its hash. */
  confirmUpTo(seq: number): void {
    this.confirmedTo = Math.max(this.confirmedTo, seq);
  }

  /** There was an entry of this number. */
  mustReach(seq: number): void {
    if (this.entries === 0) {
      this.fail("writer_gone", 1);
    } else if (seq > this.seq) {
      this.fail("cut_off", this.seq + 1);
    }
  }

  /** Its beginning is missing. That comes before any other fault, and nothing vouches for the rest. */
  failFromStart(): void {
    this.fault = { code: "missing", writer: this.writer, seq: 1 };
    this.signatures.anchoredTo = 0;
  }
}

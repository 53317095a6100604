import type { ParsedEntry } from "../parsed-entry.ts";
import type { Fault, FaultCode } from "./fault.ts";
import { type Link, Links } from "./links.ts";
import type { RecentHashes } from "./recent-hashes.ts";
import { WriterSignatures } from "./writer-signatures.ts";

/** The entries of one writer that were read so far, up to its first fault. */
export class WriterChain {
  readonly writer: string;
  readonly links = new Links();
  readonly signatures = new WriterSignatures();
  /** The number of valid entries, without repeated ones. */
  entries = 0;
  /** The number of repeated entries. */
  repeats = 0;
  /** The last entry that a head, an anchor or the signed start of another writer confirms. */
  confirmedTo = 0;
  /** Whether its last entry is the checkpoint after `server.stopped`. */
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

  /** The first entry that was read, if its seq is not 1. */
  get lateBeginning(): { readonly seq: number; readonly prev: string } | null {
    return this.links.first.seq > 1 ? this.links.first : null;
  }

  /** Takes an entry with a valid hash. Returns whether it follows the last one. */
  take(entry: ParsedEntry): boolean {
    const { seq } = entry.chain;
    if (this.fault !== null) {
      if (this.fault.code === "missing" && this.fault.seq === seq) {
        this.fault = { ...this.fault, code: "reordered" };
      }
      return false;
    }
    const remembered = this.#recent.get(this.writer, seq);
    const link =
      this.ended && seq > this.seq
        ? "other"
        : this.links.take(entry, remembered);
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

  /** Records a fault, unless the writer already has one. */
  fail(
    code: FaultCode,
    seq: number,
    more: Pick<Fault, "from" | "line"> = {},
  ): void {
    this.fault ??= { code, writer: this.writer, seq, ...more };
  }

  /** Records that a signature or a known hash does not match: an entry after the last signed one was changed. */
  failSignature(code: FaultCode, seq: number): void {
    this.fail(code, seq, { from: this.signatures.signedTo + 1 });
  }

  /** Compares an entry with its known hash. Returns whether they match, and records a fault if they differ. */
  hasHash(seq: number, hash: string): boolean {
    const has = this.links.has(seq, hash, this.#recent.get(this.writer, seq));
    if (has === false && seq > this.signatures.signedTo) {
      this.failSignature("head_mismatch", seq);
    } else if (has === false) {
      this.fail("head_mismatch", seq);
    }
    return has === true;
  }

  /** Records that a head, an anchor or the signed start of another writer confirms this entry. */
  confirmUpTo(seq: number): void {
    this.confirmedTo = Math.max(this.confirmedTo, seq);
  }

  /** Records a fault if the entries end before this seq. The caller knows that an entry with this seq was written. */
  mustReach(seq: number): void {
    if (this.entries === 0) {
      this.fail("writer_gone", 1);
    } else if (seq > this.seq) {
      this.fail("cut_off", this.seq + 1);
    }
  }

  /** Records that the beginning is missing. This replaces any later fault, and no signature covers the other entries. */
  failFromStart(): void {
    this.fault = { code: "missing", writer: this.writer, seq: 1 };
    this.signatures.signedTo = 0;
  }
}

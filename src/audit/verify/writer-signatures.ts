import { CHECKPOINT_EVERY } from "../chain.ts";
import { isSigned } from "../checkpoint.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { FaultCode } from "./fault.ts";

/** Checks the checkpoints of one writer. The caller passes only entries whose links are valid. */
export class WriterSignatures {
  /** The last entry that a signature covers; 0 = none. */
  signedTo = 0;
  /** The key of its checkpoints: base64 of the SPKI DER; null = no checkpoint yet. */
  publicKey: string | null = null;
  /** The key in its first entry. A writer that declares its key writes a checkpoint as its second entry. */
  #declaredKey: string | null = null;
  /** Whether its checkpoints also sign their time. Writers that declare their key always sign the time. */
  #signsTime = false;

  /** Checks the next entry and returns its fault, if any. `first`: the first seq that was read. `trusted`: null = any key. */
  take(
    entry: ParsedEntry,
    first: number,
    trusted: ReadonlySet<string> | null,
  ): FaultCode | null {
    const { action, metadata, chain } = entry;
    if (action === "audit.checkpoint") {
      return this.#takeCheckpoint(entry, trusted);
    }
    if (chain.seq === 1 && typeof metadata["publicKey"] === "string") {
      this.#declaredKey = metadata["publicKey"];
      this.#signsTime = true;
    }
    const since = chain.seq - Math.max(this.signedTo, first - 1);
    const isDue = this.#declaredKey !== null && chain.seq === 2;
    const isOverdue = this.signedTo > 0 && since > CHECKPOINT_EVERY;
    return isDue || isOverdue ? "unsigned" : null;
  }

  #takeCheckpoint(
    entry: ParsedEntry,
    trusted: ReadonlySet<string> | null,
  ): FaultCode | null {
    if (!isSigned(entry, { strict: this.#signsTime })) {
      return "signature_mismatch";
    }
    const { publicKey, timestampSignature } = entry.metadata;
    const key = String(publicKey);
    const own = this.publicKey ?? this.#declaredKey ?? key;
    if (key !== own || trusted?.has(key) === false) {
      return "foreign_key";
    }
    this.publicKey = key;
    this.#signsTime ||= timestampSignature !== undefined;
    this.coverUpTo(entry.chain.seq);
    return null;
  }

  /** Records that a signature covers the entries up to this one. */
  coverUpTo(seq: number): void {
    this.signedTo = Math.max(this.signedTo, seq);
  }
}

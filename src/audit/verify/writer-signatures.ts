import { CHECKPOINT_EVERY } from "../chain.ts";
import { isSigned } from "../checkpoint.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { FaultCode } from "./fault.ts";

/** What the checkpoints of one writer vouch for. It is given entries that are in their place. */
export class WriterSignatures {
  /** Up to here a signature vouches for the entries; 0 = none does. */
  anchoredTo = 0;
  /** The key of its checkpoints: base64 of the SPKI DER; null = it has none yet. */
  publicKey: string | null = null;
  /** The key that its first entry names: then its second is a checkpoint. */
  #declaredKey: string | null = null;
  /** Whether its checkpoints sign their time too, as those of writers that declare their key do. */
  #signsTime = false;

  /** Says what is wrong with the entry, if anything. `trusted`: null = any key. `first`: the first entry that is there. */
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
    const since = chain.seq - Math.max(this.anchoredTo, first - 1);
    const isDue = this.#declaredKey !== null && chain.seq === 2;
    const isOverdue = this.anchoredTo > 0 && since > CHECKPOINT_EVERY;
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
    this.anchorUpTo(entry.chain.seq);
    return null;
  }

  /** Something signed vouches for the entries up to this one. */
  anchorUpTo(seq: number): void {
    this.anchoredTo = Math.max(this.anchoredTo, seq);
  }
}

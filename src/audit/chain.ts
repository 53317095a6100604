import { asciiJson } from "../json/ascii.ts";
import { hash as digest } from "node:crypto";
import {
  type AuditDraft,
  type AuditMetadata,
  MAX_LINE_BYTES,
} from "./entry.ts";

/** The place of an entry: who wrote it, its number from 1 without gaps, and the hash of the one before. */
export interface ChainLink {
  readonly writer: string;
  readonly seq: number;
  readonly prev: string;
}

/** An entry by its place. */
export interface EntryPlace {
  readonly writer: string;
  readonly seq: number;
}

/** The last entry of a writer. */
export interface ChainHead extends EntryPlace {
  readonly hash: string;
}

/** An entry in its place: `line` is the whole JSON line, without a line end. */
export interface ChainedEntry extends ChainHead {
  readonly line: string;
}

/** Makes the checkpoints of a writer, all with one key. */
export interface Checkpoints {
  /** What they are verified with: base64 of the SPKI DER of an Ed25519 key. */
  readonly publicKey: string;
  /** The checkpoint in this place of the chain, at this time (unix milliseconds). */
  readonly entry: (link: ChainLink, at: number) => AuditDraft;
}

/** What the first entry of a writer follows. */
export const GENESIS = "0".repeat(64);

/** The hash member is always last and of one length, so that it can be taken out of the text without parsing it. */
const HASH_NAME = ',"hash":"';
const HASH_DIGITS = /^[0-9a-f]{64}$/;
const HASH_MEMBER_BYTES = `${HASH_NAME}${GENESIS}"`.length;

/** SHA-256 of a line with its hash member taken out, in hex. */
export function hashLine(lineWithoutHash: string): string {
  return digest("sha256", lineWithoutHash, "hex");
}

/** Splits a line into what its hash covers and the hash it claims; null when it does not end in a hash. */
export function splitHash(
  line: string,
): { covered: string; claimed: string } | null {
  const at = line.length - HASH_MEMBER_BYTES - 1;
  const claimed = line.slice(at + HASH_NAME.length, -2);
  return line.startsWith(HASH_NAME, at) &&
    line.endsWith('"}') &&
    HASH_DIGITS.test(claimed)
    ? { covered: `${line.slice(0, at)}}`, claimed }
    : null;
}

/** A chain as it stood, to be taken back to. */
export interface ChainMark extends ChainHead {
  /** The last checkpoint; 0 = none yet. */
  readonly checkpointSeq: number;
}

/** Of so many entries in a row at least one is a checkpoint. */
export const CHECKPOINT_EVERY = 1000;

/**
 * The chain of one writer, kept in memory. `append` gives the next line; a transaction that did not commit takes its
 * lines back with `rewind(mark)`, where `mark` is what `mark()` said before.
 */
export class AuditChain {
  readonly writer: string;
  readonly #checkpoints: Checkpoints;
  #seq = 0;
  #hash = GENESIS;
  #checkpointSeq = 0;

  constructor(writer: string, checkpoints: Checkpoints) {
    this.writer = writer;
    this.#checkpoints = checkpoints;
  }

  head(): ChainHead {
    return { writer: this.writer, seq: this.#seq, hash: this.#hash };
  }

  mark(): ChainMark {
    return { ...this.head(), checkpointSeq: this.#checkpointSeq };
  }

  rewind(mark: ChainMark): void {
    this.#seq = mark.seq;
    this.#hash = mark.hash;
    this.#checkpointSeq = mark.checkpointSeq;
  }

  append(draft: AuditDraft): ChainedEntry {
    const link = this.#nextLink();
    const covered = lineOf(draft, link);
    const hash = hashLine(covered);
    this.#seq = link.seq;
    this.#hash = hash;
    return {
      writer: this.writer,
      seq: link.seq,
      hash,
      line: `${covered.slice(0, -1)},"hash":"${hash}"}`,
    };
  }

  /** Whether the next entry has to be a checkpoint. */
  isCheckpointDue(): boolean {
    return this.#seq - this.#checkpointSeq >= CHECKPOINT_EVERY - 1;
  }

  /** The next line as a checkpoint, which anchors all before it; null when the last one is a checkpoint. */
  checkpoint(at: number): ChainedEntry | null {
    if (this.#seq === this.#checkpointSeq) {
      return null;
    }
    const entry = this.append(this.#checkpoints.entry(this.#nextLink(), at));
    this.#checkpointSeq = entry.seq;
    return entry;
  }

  #nextLink(): ChainLink {
    return { writer: this.writer, seq: this.#seq + 1, prev: this.#hash };
  }
}

/** The bytes of the line of a draft in the store, whatever its place: at most 15 more than it will have. */
export function lineBytes(draft: AuditDraft): number {
  const longest = {
    writer: "0".repeat(16),
    seq: Number.MAX_SAFE_INTEGER,
    prev: GENESIS,
  };
  return lineOf(draft, longest).length + HASH_MEMBER_BYTES;
}

function lineOf(draft: AuditDraft, link: ChainLink): string {
  const line = serialize(draft, draft.metadata, link);
  if (line.length + HASH_MEMBER_BYTES <= MAX_LINE_BYTES) {
    return line;
  }
  // Cannot happen for what Hexhook itself writes; a line over the limit would break every reader of the trail.
  const { requestId, reason } = draft.metadata;
  return serialize(
    { ...draft, resource: draft.resource.slice(0, 100) },
    { requestId, reason, truncated: true },
    link,
  );
}

function serialize(
  draft: AuditDraft,
  metadata: AuditMetadata,
  chain: ChainLink,
): string {
  return asciiJson({
    timestamp: new Date(draft.at).toISOString(),
    action: draft.action,
    userId: draft.userId,
    resource: draft.resource,
    result: draft.result,
    metadata,
    chain,
  });
}

import { asciiJson } from "../json/ascii.ts";
import { hash as digest } from "node:crypto";
import {
  type AuditDraft,
  type AuditMetadata,
  MAX_LINE_BYTES,
} from "./entry.ts";

/** The place of an entry: its writer, its number (from 1, without gaps), and the hash of the writer's entry before it. */
export interface ChainLink {
  readonly writer: string;
  readonly seq: number;
  readonly prev: string;
}

/** The writer and number of an entry. */
export interface EntryPlace {
  readonly writer: string;
  readonly seq: number;
}

/** The last entry of a writer. */
export interface ChainHead extends EntryPlace {
  readonly hash: string;
}

/** An entry with its place in the chain: `line` is the whole JSON line, without a newline. */
export interface ChainedEntry extends ChainHead {
  readonly line: string;
}

/** Makes the checkpoints of a writer, all with one key. */
export interface Checkpoints {
  /** The Ed25519 key that verifies them: base64 of its SPKI DER. */
  readonly publicKey: string;
  /** Returns the checkpoint for this place in the chain and this time (unix milliseconds). */
  readonly entry: (link: ChainLink, at: number) => AuditDraft;
}

/** The `prev` of a writer's first entry. */
export const GENESIS = "0".repeat(64);

/** The hash member is always last and always has the same length, so it can be cut out of the text without parsing. */
const HASH_NAME = ',"hash":"';
const HASH_DIGITS = /^[0-9a-f]{64}$/;
const HASH_MEMBER_BYTES = `${HASH_NAME}${GENESIS}"`.length;

/** Returns the SHA-256 of a line without its hash member, in hex. */
export function hashLine(lineWithoutHash: string): string {
  return digest("sha256", lineWithoutHash, "hex");
}

/** Splits a line into the text that its hash covers and the hash itself. Null: the line does not end with a hash. */
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

/** A state of a chain that `rewind` can restore. */
export interface ChainMark extends ChainHead {
  /** The last checkpoint; 0 = none yet. */
  readonly checkpointSeq: number;
}

/** Of this many consecutive entries of a writer, at least one is a checkpoint. */
export const CHECKPOINT_EVERY = 1000;

/**
 * The chain of one writer, kept in memory. `append` returns the next entry. When a transaction does not commit, its entries
 * are undone by `rewind(mark)`, with the value that `mark()` returned before the transaction.
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

  /** Whether the next entry must be a checkpoint. */
  isCheckpointDue(): boolean {
    return this.#seq - this.#checkpointSeq >= CHECKPOINT_EVERY - 1;
  }

  /** Appends a checkpoint, which signs all entries before it. Returns null if the last entry is already a checkpoint. */
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

/** Returns the size of a draft's line in bytes, before its place in the chain is known. It is at most 15 bytes too large. */
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
  // No entry that Hexhook creates is this long. A line over the limit would break every reader of the trail.
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

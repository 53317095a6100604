import { hash as digest } from "node:crypto";
import {
  asciiJson,
  type AuditDraft,
  type AuditMetadata,
  MAX_LINE_BYTES,
} from "./audit-entry.ts";

/** The place of an entry: who wrote it, its number from 1 without gaps, and the hash of the one before. */
export interface ChainLink {
  readonly writer: string;
  readonly seq: number;
  readonly prev: string;
}

/** The last entry of a writer. */
export interface ChainHead {
  readonly writer: string;
  readonly seq: number;
  readonly hash: string;
}

/** An entry in its place: `line` is the whole JSON line, without a line end. */
export interface ChainedEntry extends ChainHead {
  readonly line: string;
}

/** The name of a writer that is a command and not a service. */
export function commandWriter(randomHex: (bytes: number) => string): string {
  return `cli-${randomHex(8)}`;
}

/** What the first entry of a writer follows. */
export const GENESIS = "0".repeat(64);

/** The hash member is always last, so that it can be taken out of the text without parsing it. */
const HASH_MEMBER = /,"hash":"([0-9a-f]{64})"\}$/;

/** SHA-256 of a line with its hash member taken out, in hex. */
export function hashLine(lineWithoutHash: string): string {
  return digest("sha256", lineWithoutHash, "hex");
}

/** Splits a line into what its hash covers and the hash it claims; null when it does not end in a hash. */
export function splitHash(
  line: string,
): { covered: string; claimed: string } | null {
  const match = HASH_MEMBER.exec(line);
  return match?.[1] === undefined
    ? null
    : { covered: `${line.slice(0, match.index)}}`, claimed: match[1] };
}

/**
 * The chain of one writer, kept in memory. `append` gives the next line; a transaction that did not commit
 * takes its lines back with `rewind(head)`, where `head` is what `head()` said before.
 */
export class AuditChain {
  readonly writer: string;
  #seq = 0;
  #hash = GENESIS;

  constructor(writer: string) {
    this.writer = writer;
  }

  head(): ChainHead {
    return { writer: this.writer, seq: this.#seq, hash: this.#hash };
  }

  rewind(head: ChainHead): void {
    this.#seq = head.seq;
    this.#hash = head.hash;
  }

  append(draft: AuditDraft): ChainedEntry {
    const seq = this.#seq + 1;
    const link: ChainLink = { writer: this.writer, seq, prev: this.#hash };
    const covered = lineOf(draft, link);
    const hash = hashLine(covered);
    this.#seq = seq;
    this.#hash = hash;
    return {
      writer: this.writer,
      seq,
      hash,
      line: `${covered.slice(0, -1)},"hash":"${hash}"}`,
    };
  }
}

const HASH_MEMBER_BYTES = `,"hash":"${GENESIS}"`.length;

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

import type { ChainHead } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { WriterChain } from "./writer-chain.ts";

/** A head that a start names. `reached`: the last entry of its writer that was read before the start. */
export interface NamedHead extends ChainHead {
  readonly reached: number;
}

/** What one entry states about other writers, or about events. */
interface Statement {
  readonly seq: number;
  /** The last entries of other writers when this one started, newest first. */
  readonly heads: readonly NamedHead[];
  /** The last deleted entry of each writer. */
  readonly purged: readonly ChainHead[];
  /** Entries written before this time (unix milliseconds) may be deleted; 0 = none. */
  readonly entriesBefore: number;
  /** Events received before this time (unix milliseconds) may be deleted; 0 = none. */
  readonly eventsBefore: number;
}

/** The maximum number of statements that wait for a checkpoint. Further ones are dropped, and the report says so. */
const MAX_PENDING = 2000;

/**
 * Collects what entries state about other writers and about deletions. An attacker can add an entry without a signature, so
 * a statement is accepted only when a checkpoint of its writer covers it. Heads are also accepted when a signed start names
 * their writer.
 */
export class Statements {
  /** The newest accepted head of each writer. */
  readonly heads = new Map<string, ChainHead>();
  readonly #purged = new Map<string, ChainHead>();
  /** The latest times before which the retention has deleted entries and events, in unix milliseconds. */
  readonly deletedBefore = { entries: 0, events: 0 };
  /** Whether statements were dropped. A signed one may be among them. */
  hasDropped = false;
  readonly #pending = new Map<WriterChain, Statement[]>();
  #pendingCount = 0;

  /** Keeps the statement of an entry, if it makes one, until it is accepted. */
  add(entry: ParsedEntry, by: WriterChain, chains: Chains): void {
    const statement = statementOf(entry, chains);
    if (statement === null) {
      return;
    }
    if (this.#pendingCount === MAX_PENDING) {
      this.hasDropped = true;
      return;
    }
    const pending = this.#pending.get(by) ?? [];
    this.#pending.set(by, pending);
    pending.push(statement);
    this.#pendingCount += 1;
  }

  /**
   * Accepts a writer's statements up to an entry that a signature covers. Returns the heads of each start among them.
   * `isNamed`: only the signed start of a later writer covers the entry. Then statements about deletions are not accepted,
   * because the writer itself signs a deletion in the same transaction.
   */
  accept(
    by: WriterChain,
    upTo: number,
    isNamed: boolean,
  ): readonly (readonly NamedHead[])[] {
    const pending = this.#pending.get(by) ?? [];
    const accepted = pending.filter(
      ({ seq, heads }) => seq <= upTo && (!isNamed || heads.length > 0),
    );
    this.#pending.delete(by);
    this.#pendingCount -= pending.length;
    for (const statement of accepted) {
      this.#apply(statement);
    }
    return accepted.flatMap(({ heads }) => (heads.length > 0 ? [heads] : []));
  }

  #apply(statement: Statement): void {
    for (const head of statement.heads) {
      if (head.seq > (this.heads.get(head.writer)?.seq ?? 0)) {
        this.heads.set(head.writer, head);
      }
    }
    for (const head of statement.purged) {
      this.#purged.set(head.writer, head);
    }
    const { entries, events } = this.deletedBefore;
    this.deletedBefore.entries = Math.max(entries, statement.entriesBefore);
    this.deletedBefore.events = Math.max(events, statement.eventsBefore);
  }

  /** Whether an accepted statement says that the writer's entries up to this one are deleted. */
  isPurged(writer: string, seq: number): boolean {
    return seq <= (this.#purged.get(writer)?.seq ?? 0);
  }

  /** Returns the last deleted entry of the writer, from an accepted statement. */
  purged(writer: string): ChainHead | undefined {
    return this.#purged.get(writer);
  }
}

type Chains = ReadonlyMap<string, WriterChain>;

function statementOf(entry: ParsedEntry, chains: Chains): Statement | null {
  const { action, metadata, resource } = entry;
  const { seq } = entry.chain;
  const nothing = {
    seq,
    heads: [],
    purged: [],
    entriesBefore: 0,
    eventsBefore: 0,
  };
  if (action === "server.started" && seq === 1) {
    const heads = headsIn(metadata["heads"]).map((head) => ({
      ...head,
      reached: chains.get(head.writer)?.seq ?? 0,
    }));
    return heads.length === 0 ? null : { ...nothing, heads };
  }
  if (action !== "retention.purged") {
    return null;
  }
  const purged = headsIn(metadata["writers"]);
  return resource === "/events"
    ? { ...nothing, eventsBefore: timeIn(metadata["receivedBefore"]) }
    : { ...nothing, purged, entriesBefore: timeIn(metadata["before"]) };
}

/** Reads a list of heads from an entry. Other values are left out. */
function headsIn(value: unknown): ChainHead[] {
  return Array.isArray(value)
    ? (value as (Partial<ChainHead> | null)[]).flatMap((head) =>
        typeof head?.writer === "string" && Number.isSafeInteger(head.seq)
          ? {
              writer: head.writer,
              seq: Number(head.seq),
              hash: String(head.hash),
            }
          : [],
      )
    : [];
}

function timeIn(value: unknown): number {
  return (typeof value === "string" && Date.parse(value)) || 0;
}

import type { ChainHead } from "../chain.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { WriterChain } from "./writer-chain.ts";

/** A head that a start names, and how far its writer had come in these lines by then. */
export interface NamedHead extends ChainHead {
  readonly reached: number;
}

/** What one entry says of other writers, or of events. */
interface Statement {
  readonly seq: number;
  /** Where other writers ended when this one started, newest first. */
  readonly heads: readonly NamedHead[];
  /** The last deleted entry of each writer. */
  readonly purged: readonly ChainHead[];
  /** Entries written before this time may be deleted, in unix milliseconds; 0 = says nothing of entries. */
  readonly entriesBefore: number;
  /** The same for events and when they were received. */
  readonly eventsBefore: number;
}

/** Limit of statements that wait for a checkpoint, more than any processes write. Further ones are dropped, and that is reported. */
const MAX_PENDING = 2000;

/**
 * What entries state of other writers and of what the retention has deleted. An entry that no signature vouches for may
 * come from anyone, so a statement counts only once a checkpoint of its writer covers it; for heads a signed start that names
 * it is enough.
 */
export class Statements {
  /** The furthest head of each writer that a start names. */
  readonly heads = new Map<string, ChainHead>();
  readonly #purged = new Map<string, ChainHead>();
  /** Up to which times the retention says that it has deleted, in unix milliseconds. */
  readonly deletedBefore = { entries: 0, events: 0 };
  /** Whether statements were dropped: one that a signature covers may be among them. */
  hasDropped = false;
  readonly #pending = new Map<WriterChain, Statement[]>();
  #pendingCount = 0;

  /** Keeps what an entry states that is in its place. */
  hear(entry: ParsedEntry, by: WriterChain, chains: Chains): void {
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
   * What a writer has stated up to an entry that is vouched for counts from now on. Gives the heads of each start in it.
   * `isNamed`: only a later start vouches for it, which took over what the store had. Then what it says of deletions is not
   * believed: the writer would have signed that in the same transaction.
   */
  credit(
    by: WriterChain,
    upTo: number,
    isNamed: boolean,
  ): readonly (readonly NamedHead[])[] {
    const pending = this.#pending.get(by) ?? [];
    const credited = pending.filter(
      ({ seq, heads }) => seq <= upTo && (!isNamed || heads.length > 0),
    );
    this.#pending.delete(by);
    this.#pendingCount -= pending.length;
    for (const statement of credited) {
      this.#count(statement);
    }
    return credited.flatMap(({ heads }) => (heads.length > 0 ? [heads] : []));
  }

  #count(statement: Statement): void {
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

  /** Whether the retention says that the writer's entries up to this one are deleted. */
  isPurged(writer: string, seq: number): boolean {
    return seq <= (this.#purged.get(writer)?.seq ?? 0);
  }

  /** The last deleted entry of the writer, as the retention states it. */
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

/** A list of heads out of an entry; what is none is left out. */
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

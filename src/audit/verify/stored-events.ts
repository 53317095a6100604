import type { EventDigests } from "../../store/port.ts";
import type { ParsedEntry } from "../parsed-entry.ts";
import type { Fault, FaultCode } from "./fault.ts";

const BATCH = 500;

/**
 * The number of entries without an event that are kept, the newest ones. They wait until it is known which events the
 * retention has deleted.
 */
const MAX_KEPT = 1000;

const PAGE_BITS = 65_536;

/** The facts of a `webhook.accepted` entry. */
interface Accepted {
  readonly source: string;
  readonly id: string;
  readonly bodySha256: string;
  /** Unix milliseconds. */
  readonly at: number;
  readonly writer: string;
  readonly seq: number;
}

/**
 * Compares the stored events with the trail. Each event must have its `webhook.accepted` entry with the digest of its body,
 * and each such entry must have its event, unless the retention has deleted one of them. Memory: one bit for each event, and
 * a fixed number of entries.
 */
export class StoredEvents {
  readonly #store: EventDigests;
  readonly #batch: Accepted[] = [];
  readonly #seen = new SeenNumbers();
  readonly #changed: Fault[] = [];
  readonly #missing: Accepted[] = [];

  constructor(store: EventDigests) {
    this.#store = store;
  }

  /** Takes the next entry of the trail. */
  async take(entry: ParsedEntry): Promise<void> {
    if (entry.action === "webhook.accepted") {
      this.#batch.push(acceptedOf(entry));
    }
    if (this.#batch.length === BATCH) {
      await this.#compare();
    }
  }

  /**
   * Returns all faults. `deletedBefore`: the retention has deleted entries and events from before these times (unix
   * milliseconds).
   */
  async finish(deletedBefore: {
    readonly entries: number;
    readonly events: number;
  }): Promise<Fault[]> {
    await this.#compare();
    return [
      ...this.#changed,
      ...this.#missing
        .filter(({ at }) => at >= deletedBefore.events)
        .map((accepted) => faultOf("event_missing", accepted)),
      ...(await this.#withoutEntry(deletedBefore.entries)),
    ];
  }

  async #compare(): Promise<void> {
    const batch = this.#batch.splice(0);
    const stored = await this.#store.digestEvents(batch);
    batch.forEach((accepted, n) => {
      const event = stored[n] ?? null;
      // After an event is deleted, its id can be accepted again. The time shows which of the events this entry belongs to.
      if (event === null || event.receivedAt !== accepted.at) {
        this.#keepMissing(accepted);
        return;
      }
      this.#seen.add(event.seq);
      if (event.bodySha256 !== accepted.bodySha256) {
        this.#changed.push(faultOf("body_changed", accepted));
      }
    });
  }

  #keepMissing(accepted: Accepted): void {
    this.#missing.push(accepted);
    if (this.#missing.length === 2 * MAX_KEPT) {
      this.#missing.splice(0, MAX_KEPT);
    }
  }

  async #withoutEntry(deletedBefore: number): Promise<Fault[]> {
    const faults: Fault[] = [];
    let events = await this.#store.listEvents(Number.MIN_SAFE_INTEGER, BATCH);
    while (events.length > 0) {
      for (const { seq, source, id, receivedAt } of events) {
        if (!this.#seen.has(seq) && receivedAt >= deletedBefore) {
          const event = `${source}/${id}`;
          faults.push({
            code: "event_without_entry",
            writer: "",
            seq: 0,
            event,
          });
        }
      }
      events = await this.#store.listEvents(events.at(-1)?.seq ?? 0, BATCH);
    }
    return faults;
  }
}

function acceptedOf({ timestamp, metadata, chain }: ParsedEntry): Accepted {
  return {
    source: String(metadata["source"]),
    id: String(metadata["eventId"]),
    bodySha256: String(metadata["bodySha256"]),
    at: Date.parse(timestamp),
    writer: chain.writer,
    seq: chain.seq,
  };
}

function faultOf(code: FaultCode, accepted: Accepted): Fault {
  const { writer, seq, source, id } = accepted;
  return { code, writer, seq, event: `${source}/${id}` };
}

/** A set of integers that needs one bit for each. */
class SeenNumbers {
  readonly #pages = new Map<number, Uint8Array>();

  add(n: number): void {
    const { page, bit } = placeOf(n);
    const bits = this.#pages.get(page) ?? new Uint8Array(PAGE_BITS / 8);
    this.#pages.set(page, bits);
    bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7));
  }

  has(n: number): boolean {
    const { page, bit } = placeOf(n);
    return ((this.#pages.get(page)?.[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0;
  }
}

function placeOf(n: number): { page: number; bit: number } {
  const page = Math.floor(n / PAGE_BITS);
  return { page, bit: n - page * PAGE_BITS };
}

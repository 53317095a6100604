import { eventsExported } from "../audit/event-entries.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { EventDetail } from "../domain/event-status.ts";
import type { EventReader } from "../store/port.ts";
import type { EventFilter } from "../store/records.ts";
import { isoTime } from "./event-json.ts";
import { DELIVERY_BATCH } from "./batch.ts";
import { inChunks } from "./chunks.ts";
import { paginateEvents } from "./paginate.ts";

/** An event with everything that is stored of it. */
export interface ExportedEvent {
  readonly event: EventDetail;
  readonly body: Buffer;
}

/** Returns the number of events that match a filter, up to `limit`. */
export async function countEvents(
  store: EventReader,
  filter: EventFilter,
  limit: number,
): Promise<number> {
  let count = 0;
  const events = paginateEvents(store, oldestFirst(filter));
  for await (const chunk of inChunks(events, DELIVERY_BATCH)) {
    count += chunk.length;
    if (count >= limit) {
      return limit;
    }
  }
  return count;
}

/**
 * Yields the events that match a filter in the order of their acceptance, up to `limit`. It holds one body at a time. An
 * event that the retention deletes in the meantime is left out.
 */
export async function* exportEvents(
  store: EventReader,
  filter: EventFilter,
  limit: number,
): AsyncGenerator<ExportedEvent> {
  let count = 0;
  for await (const { seq, id } of paginateEvents(store, oldestFirst(filter))) {
    const found = await store.findEvents(id);
    const event = found.find((one) => one.seq === seq);
    const body = event === undefined ? null : await store.readBody(seq);
    if (event !== undefined && body !== null) {
      yield { event, body };
      count += 1;
    }
    if (count === limit) {
      break;
    }
  }
}

/** Returns the audit entry for an export of up to `count` events. */
export function exportEntry(
  filter: EventFilter,
  count: number,
  { operator, at }: { operator: string; at: number },
): AuditDraft {
  const { since, until } = filter;
  const facts = { ...filter, since: isoTime(since), until: isoTime(until) };
  return eventsExported(facts, count, operator, at);
}

const oldestFirst = (filter: EventFilter) =>
  ({ filter, order: "oldest", from: null }) as const;

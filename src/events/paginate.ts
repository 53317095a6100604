import type { EventScan } from "../store/records.ts";
import type { EventStatus } from "../domain/event-status.ts";
import type { EventReader } from "../store/port.ts";

/** Maximum number of events requested in one step. */
const STEP = 200;

/** Yields all events that match a scan. Each step of the scan is short, even if few events match. */
export async function* paginateEvents(
  store: EventReader,
  scan: Omit<EventScan, "limit">,
): AsyncGenerator<EventStatus> {
  let from = scan.from;
  do {
    const step = await store.scanEvents({ ...scan, from, limit: STEP });
    yield* step.events;
    from = step.next;
  } while (from !== null);
}

import type { EventDetail } from "../../domain/event-status.ts";
import { asciiJson } from "../../json/ascii.ts";
import { findEvent } from "../../events/event-reference.ts";
import type { EventReader } from "../../store/port.ts";
import { UsageError } from "../../errors.ts";
import type { Io } from "../io.ts";
import { note } from "../ui/print.ts";

/**
 * Returns the events with these ids. If an id does not exist, reports each missing id on stderr and returns null.
 * Throws UsageError when several sources have an event with the same id.
 */
export async function lookUpEvents(
  io: Io,
  store: EventReader,
  ids: readonly string[],
): Promise<readonly EventDetail[] | null> {
  const events: EventDetail[] = [];
  const missing: string[] = [];
  for (const id of new Set(ids)) {
    const found = await findEvent(store, id);
    switch (found.found) {
      case "one":
        if (!events.some(({ seq }) => seq === found.event.seq)) {
          events.push(found.event);
        }
        break;
      case "none":
        missing.push(id);
        break;
      case "several":
        throw new UsageError(
          `several sources have an event ${JSON.stringify(id)}: give ${found.sources.map((source) => `${source}/${id}`).join(" or ")}`,
        );
    }
  }
  for (const id of missing) {
    note(
      io,
      `there is no event ${asciiJson(id)} in the store; \`hexhook events list\` lists the stored events`,
    );
  }
  return missing.length > 0 ? null : events;
}

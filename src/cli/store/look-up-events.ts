import type { EventDetail } from "../../domain/event-status.ts";
import { asciiJson } from "../../json/ascii.ts";
import { findEvent } from "../../events/event-reference.ts";
import type { EventReader } from "../../store/port.ts";
import { UsageError } from "../../errors.ts";
import type { Io } from "../io.ts";
import { note } from "../ui/print.ts";

/**
 * The events of these ids; null, with a line on stderr for each that is missing, when one is not there. Throws
 * UsageError when an id alone does not tell which event is meant.
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
          `several sources have ${JSON.stringify(id)}; say ${found.sources.map((source) => `${source}/${id}`).join(" or ")}`,
        );
    }
  }
  for (const id of missing) {
    note(
      io,
      `there is no event ${asciiJson(id)} in the store; \`hexhook events list\` shows what is there`,
    );
  }
  return missing.length > 0 ? null : events;
}

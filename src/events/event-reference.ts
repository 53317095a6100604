import type { EventDetail } from "../domain/event-status.ts";
import type { EventReader } from "../store/port.ts";

/** The result of a search for a reference: one event, none, or an event in each of several sources. */
export type FoundEvent =
  | { readonly found: "one"; readonly event: EventDetail }
  | { readonly found: "none" }
  | { readonly found: "several"; readonly sources: readonly string[] };

/**
 * Finds an event by its id, or by `SOURCE/ID` if several sources have that id. An id may itself contain a `/`, so the whole
 * reference is tried as an id first.
 */
export async function findEvent(
  store: Pick<EventReader, "findEvents">,
  reference: string,
): Promise<FoundEvent> {
  const [event, ...others] = await store.findEvents(reference);
  if (event !== undefined) {
    return others.length === 0
      ? { found: "one", event }
      : {
          found: "several",
          sources: [event, ...others].map(({ source }) => source),
        };
  }
  const slash = reference.indexOf("/");
  const source = reference.slice(0, Math.max(0, slash));
  const inSource = (await store.findEvents(reference.slice(slash + 1))).find(
    (candidate) => candidate.source === source,
  );
  return inSource === undefined
    ? { found: "none" }
    : { found: "one", event: inSource };
}

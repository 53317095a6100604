import { asciiJson } from "../../json/ascii.ts";
import { AUDIT_ACTIONS } from "../entry.ts";
import { createGlob } from "../../domain/glob.ts";
import type { ParsedEntry } from "../parsed-entry.ts";

export const RESULTS = ["success", "failure"] as const;

/** Which entries to show. Members that are left out do not restrict the result. */
export interface EntryFilter {
  /** Unix milliseconds, inclusive. */
  readonly since?: number | undefined;
  /** Unix milliseconds, inclusive. */
  readonly until?: number | undefined;
  /** An action, with `*` for any characters. */
  readonly action?: string | undefined;
  readonly result?: (typeof RESULTS)[number] | undefined;
  readonly source?: string | undefined;
  /** An event's id, or `SOURCE/ID`. */
  readonly event?: string | undefined;
}

/** Whether any action matches the pattern. Callers reject a misspelt action, because no entry would match it. */
export function isKnownAction(glob: string): boolean {
  return AUDIT_ACTIONS.some(createGlob(glob));
}

export function createEntryFilter(
  filter: EntryFilter,
): (entry: ParsedEntry) => boolean {
  const { result, source, event } = filter;
  const since =
    filter.since === undefined ? null : new Date(filter.since).toISOString();
  const until =
    filter.until === undefined ? null : new Date(filter.until).toISOString();
  const action = filter.action === undefined ? null : createGlob(filter.action);
  return (entry) => {
    const { source: from, eventId } = entry.metadata;
    return (
      (since === null || entry.timestamp >= since) &&
      (until === null || entry.timestamp <= until) &&
      (action === null || action(entry.action)) &&
      (result === undefined || entry.result === result) &&
      (source === undefined || from === source) &&
      (event === undefined ||
        eventId === event ||
        `${String(from)}/${String(eventId)}` === event)
    );
  };
}

/** Returns texts that the line of every matching entry contains. A store can search for them without parsing JSON. */
export function textsOf(filter: EntryFilter): string[] {
  const { action, result, source, event } = filter;
  const [beginning = "", ...stars] = action?.split("*") ?? [];
  return [
    ...(action === undefined
      ? []
      : [`"action":"${inside(beginning)}${stars.length === 0 ? '"' : ""}`]),
    ...(result === undefined ? [] : [`"result":"${result}"`]),
    ...(source === undefined ? [] : [`"source":"${inside(source)}"`]),
    // An id may contain a slash itself, so SOURCE/ID is ambiguous. The line has the part after the slash in both cases.
    ...(event === undefined
      ? []
      : [`${inside(event.slice(event.indexOf("/") + 1))}"`]),
  ];
}

/** Returns a text as it is encoded between the quotes in a line. */
function inside(text: string): string {
  return asciiJson(text).slice(1, -1);
}

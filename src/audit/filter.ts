import { createGlob } from "../core/glob.ts";
import { type ParsedEntry } from "./entry.ts";

/** Which entries to show; what is null does not restrict. */
export interface EntryFilter {
  /** ISO timestamp, inclusive. */
  readonly since: string | null;
  /** An action, in which `*` stands for any characters. */
  readonly action: string | null;
  readonly result: string | null;
  readonly source: string | null;
}

export function createEntryFilter(
  filter: EntryFilter,
): (entry: ParsedEntry) => boolean {
  const { since, result, source } = filter;
  const action = filter.action === null ? null : createGlob(filter.action);
  return (entry) =>
    (since === null || entry.timestamp >= since) &&
    (action === null || action(entry.action)) &&
    (result === null || entry.result === result) &&
    (source === null || entry.metadata["source"] === source);
}

import type { EntryPlace } from "../chain.ts";
import type { AuditReader } from "../../store/port.ts";
import { parseEntry } from "../parsed-entry.ts";
import { LOOK_AHEAD } from "./sink-progress.ts";

/** So many fit into an entry. */
const MAX_WRITERS = 40;

/**
 * From which entry of each writer on sinks are given entries that they may have been given before, because the process that
 * fed them ended without noting how far they had come. `positions`: where they go on.
 */
export async function resumedAt(
  store: Pick<AuditReader, "readAudit">,
  positions: readonly number[],
): Promise<EntryPlace[]> {
  const resumed = new Map<string, EntryPlace>();
  for (const position of new Set(positions)) {
    const seen = new Set<string>();
    for (const { line } of await store.readAudit(position, LOOK_AHEAD)) {
      const link = parseEntry(line)?.chain;
      if (link !== undefined && !seen.has(link.writer)) {
        seen.add(link.writer);
        const { writer, seq } = link;
        resumed.set(`${writer}:${seq}`, { writer, seq });
      }
    }
  }
  return [...resumed.values()].slice(0, MAX_WRITERS);
}

import { type AuditReader, type Store } from "../core/store.ts";
import { parseEntry } from "../core/parsed-entry.ts";
import { type Resumed } from "./server-entries.ts";
import { type AuditSink } from "./sink.ts";

/** A sink notes how far it has come at least this often: what lies further on it was not given before. */
const LOOK_AHEAD = 5000;

/** More writers than this are not at work at once. */
const MAX_WRITERS = 10;

/**
 * From which entry of each writer on the sinks are given entries that they may have been given before, because the process
 * that fed them ended without noting how far they had come.
 */
export async function resumedAt(
  store: Pick<AuditReader, "readAudit"> & Pick<Store, "sinkPosition">,
  sinks: readonly Pick<AuditSink, "name">[],
): Promise<Resumed[]> {
  const resumed = new Map<string, Resumed>();
  for (const { name } of sinks) {
    const noted = await store.sinkPosition(name);
    const rows =
      noted === null ? [] : await store.readAudit(noted.position, LOOK_AHEAD);
    const seen = new Set<string>();
    for (const { line } of rows) {
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

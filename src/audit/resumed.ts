import { type AuditReader, type Store } from "../core/store.ts";
import { parseEntry } from "../core/parsed-entry.ts";
import { type Resumed } from "./server-entries.ts";
import { type AuditSink } from "./sink.ts";

/** A sink notes how far it has come at least this often: what lies further on it was not given before. */
const LOOK_AHEAD = 5000;

/** More writers than this are not at work at once. */
const MAX_WRITERS = 10;

/**
 * From which entry of each writer on the sinks may be given entries a second time, because the process that fed them ended
 * without noting how far they had come.
 */
export async function resumedAt(
  store: Pick<AuditReader, "readAudit"> & Pick<Store, "sinkPosition">,
  sinks: readonly AuditSink[],
): Promise<Resumed[]> {
  const first = new Map<string, number>();
  for (const { name } of sinks) {
    const noted = await store.sinkPosition(name);
    if (noted !== null) {
      for (const { line } of await store.readAudit(
        noted.position,
        LOOK_AHEAD,
      )) {
        const { writer = "", seq = 0 } = parseEntry(line)?.chain ?? {};
        first.set(writer, Math.min(first.get(writer) ?? seq, seq));
      }
    }
  }
  return [...first]
    .slice(0, MAX_WRITERS)
    .map(([writer, seq]) => ({ writer, seq }));
}

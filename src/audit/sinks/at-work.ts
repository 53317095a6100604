import type { ChainHead } from "../chain.ts";
import type { AuditReader } from "../../store/port.ts";

/** So many of the newest entries are looked at. */
const LOOK_BACK = 5000;

/** So many fit into an entry. */
const MAX_WRITERS = 30;

/**
 * The writers that may be at work beside a process that starts: those that have not stopped, as far as the newest entries
 * tell, and first of all those that wrote some of them. `heads`: the last entry of each writer, newest writer first.
 */
export async function maybeAtWork(
  store: Pick<AuditReader, "readAudit">,
  heads: readonly ChainHead[],
  lastPosition: number,
): Promise<ChainHead[]> {
  const wroteLately = new Set<string>();
  const stopped = new Set<string>();
  const from = Math.max(0, lastPosition - LOOK_BACK);
  for (const { writer, line } of await store.readAudit(from, LOOK_BACK)) {
    wroteLately.add(writer);
    if (line.includes('"action":"server.stopped"')) {
      stopped.add(writer);
    }
  }
  const going = heads.filter(({ writer }) => !stopped.has(writer));
  const lately = going.filter(({ writer }) => wroteLately.has(writer));
  const others = going.filter(({ writer }) => !wroteLately.has(writer));
  return [...lately, ...others].slice(0, MAX_WRITERS);
}

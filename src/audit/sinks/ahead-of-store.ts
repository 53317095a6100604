import type { AuditReader } from "../../store/port.ts";
import type { ChainHead, EntryPlace } from "../chain.ts";
import { clipText, timeOfLine } from "../entry.ts";
import { parseEntry } from "../parsed-entry.ts";

/**
 * Returns the place of the last entry of AUDIT_FILE if the store lacks it: the store was restored from a backup, or is
 * another one. Null: the store has it, the retention may have deleted it, or `line` is no entry.
 *
 * `line`: the last line of the file. `heads`: the last entry of each writer in the store, read after the line.
 */
export async function aheadOfStore(
  line: string | null,
  heads: readonly ChainHead[],
  store: Pick<AuditReader, "readAudit">,
): Promise<EntryPlace | null> {
  const entry = line === null ? null : parseEntry(line);
  if (line === null || entry === null) {
    return null;
  }
  const { writer, seq } = entry.chain;
  // Another program may have written the line. A long text in `server.started` would leave no room for its other facts.
  const place = { writer: clipText(writer), seq };
  const head = heads.find((one) => one.writer === writer);
  if (head !== undefined) {
    return head.seq < seq ? place : null;
  }
  const [oldest] = await store.readAudit(0, 1);
  const isOlder =
    oldest !== undefined && timeOfLine(line) < timeOfLine(oldest.line);
  return isOlder ? null : place;
}

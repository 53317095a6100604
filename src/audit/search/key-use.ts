import { asciiJson } from "../../json/ascii.ts";
import { parseEntry } from "../parsed-entry.ts";
import type { AuditReader } from "../../store/port.ts";

const STEP = 1000;

/**
 * Returns the timestamp of the last entry that used a key: a message that it signed, or a call of the Hex API. Null: the
 * trail has no such entry. An operator can remove an old secret when it is no longer used.
 */
export async function lastUseOf(
  store: Pick<AuditReader, "searchAudit">,
  keyId: string,
  kind: "webhook" | "hex.api",
): Promise<string | null> {
  const search = {
    order: "newest",
    limit: STEP,
    containing: [`"action":"${kind}.`, `"keyId":${asciiJson(keyId)}`],
  } as const;
  let from: number | null = null;
  do {
    const step: Awaited<ReturnType<AuditReader["searchAudit"]>> =
      await store.searchAudit({ ...search, from });
    for (const { line } of step.rows) {
      const entry = parseEntry(line);
      if (
        entry?.action.startsWith(`${kind}.`) === true &&
        entry.action !== "hex.api.denied" &&
        entry.metadata["keyId"] === keyId
      ) {
        return entry.timestamp;
      }
    }
    from = step.next;
  } while (from !== null);
  return null;
}

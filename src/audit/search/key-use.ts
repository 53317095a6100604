import { asciiJson } from "../../json/ascii.ts";
import { newestFirst } from "./newest-first.ts";
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
    limit: STEP,
    containing: [`"action":"${kind}.`, `"keyId":${asciiJson(keyId)}`],
  };
  for await (const { rows } of newestFirst(store, search)) {
    for (const { line } of rows) {
      const entry = parseEntry(line);
      if (
        entry?.action.startsWith(`${kind}.`) === true &&
        entry.action !== "hex.api.denied" &&
        entry.metadata["keyId"] === keyId
      ) {
        return entry.timestamp;
      }
    }
  }
  return null;
}

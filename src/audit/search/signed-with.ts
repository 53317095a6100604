import type { AuditReader } from "../../store/port.ts";
import { textsOf } from "./entry-filter.ts";
import { newestFirst } from "./newest-first.ts";

/** Whether the newest checkpoint is signed with this key. True if there is no checkpoint yet. */
export async function isSignedWith(
  store: Pick<AuditReader, "searchAudit">,
  publicKey: string,
): Promise<boolean> {
  const containing = textsOf({ action: "audit.checkpoint" });
  // The search is short, because at least one of 1,000 consecutive entries of a writer is a checkpoint.
  for await (const { rows } of newestFirst(store, { containing, limit: 1 })) {
    const [newest] = rows;
    if (newest !== undefined) {
      return newest.line.includes(`"${publicKey}"`);
    }
  }
  return true;
}

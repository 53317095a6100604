import type { AuditReader } from "../../store/port.ts";
import { textsOf } from "./entry-filter.ts";

/** Whether the newest checkpoint is signed with this key. True if there is no checkpoint yet. */
export async function isSignedWith(
  store: Pick<AuditReader, "searchAudit">,
  publicKey: string,
): Promise<boolean> {
  const containing = textsOf({ action: "audit.checkpoint" });
  // The search is short, because at least one of 1,000 consecutive entries of a writer is a checkpoint.
  let from: number | null = null;
  do {
    const step: Awaited<ReturnType<AuditReader["searchAudit"]>> =
      await store.searchAudit({ order: "newest", from, limit: 1, containing });
    const [newest] = step.rows;
    if (newest !== undefined) {
      return newest.line.includes(`"${publicKey}"`);
    }
    from = step.next;
  } while (from !== null);
  return true;
}

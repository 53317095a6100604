import { textsOf } from "./entry-filter.ts";
import type { AuditReader } from "../../store/port.ts";

/** Whether the newest checkpoint is signed with a key; true where there is none yet. */
export async function isSignedWith(
  store: Pick<AuditReader, "searchAudit">,
  publicKey: string,
): Promise<boolean> {
  // Of a thousand entries in a row one is a checkpoint, and one step looks at more.
  const { rows } = await store.searchAudit({
    order: "newest",
    from: null,
    limit: 1,
    containing: textsOf({ action: "audit.checkpoint" }),
  });
  return rows.every(({ line }) => line.includes(`"${publicKey}"`));
}

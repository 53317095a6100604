import type { AuditDraft } from "../../audit/entry.ts";
import type { Io } from "../io.ts";
import { withOperatorStore } from "./operator-store.ts";

/**
 * Writes the audit entry of a command that discloses bodies. The command prints after this, with the store closed: a slow or
 * closed reader of its output can neither delay nor prevent the entry.
 */
export async function auditRead(
  io: Io,
  facts: { command: string; operator: string },
  entry: (at: number) => AuditDraft,
): Promise<void> {
  await withOperatorStore(io, facts, (store) =>
    store.append(entry(Date.now())),
  );
}

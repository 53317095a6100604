import type { AuditDraft } from "../audit/entry.ts";
import { RECORDED_STATUSES, recordedEntry } from "../audit/webhook-entries.ts";
import type { EventRecord } from "./records.ts";

/** Returns the audit entry that is written with a record. `bodySha256`: the digest of its body. `id`: of the stored event. */
export function entryOfRecord(
  { event, deliveries, request }: EventRecord,
  outcome: keyof typeof RECORDED_STATUSES,
  facts: { readonly bodySha256: Buffer; readonly id: string },
): AuditDraft {
  return recordedEntry(request, event.receivedAt, {
    outcome,
    status: RECORDED_STATUSES[outcome],
    keyId: request.keyId,
    eventId: facts.id,
    eventType: event.type,
    bodySha256: facts.bodySha256.toString("hex"),
    bodyBytes: event.body.length,
    skewSeconds: request.skewSeconds,
    deliveries: deliveries.length,
  });
}

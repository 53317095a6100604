import type { EventDetail } from "../domain/event-status.ts";
import { type AuditDraft, type AuditMetadata, clipText } from "./entry.ts";

/** Returns the audit entry for an operator who reads the body of an event. It is written before the body is disclosed. */
export function bodyRead(
  event: Pick<
    EventDetail,
    "source" | "id" | "type" | "bodySha256" | "bodyBytes"
  >,
  operator: string,
  at: number,
): AuditDraft {
  const { source, id, type, bodySha256, bodyBytes } = event;
  return {
    ...read(operator, at),
    resource: clipText(`/events/${source}/${id}`),
    metadata: {
      source,
      eventId: id,
      eventType: type,
      bodySha256,
      bodyBytes,
    },
  };
}

/**
 * Returns the audit entry for an export of events with their bodies. It is written before the first event is disclosed.
 * `count`: the maximum number of events in the export. Null members of `filter` are left out.
 */
export function eventsExported(
  filter: AuditMetadata,
  count: number,
  operator: string,
  at: number,
): AuditDraft {
  const given = Object.entries(filter)
    .filter(([, value]) => value !== null && value !== false)
    .map(([name, value]) => [
      name,
      typeof value === "string" ? clipText(value) : value,
    ]);
  return {
    ...read(operator, at),
    resource: "/events",
    metadata: { count, filter: Object.fromEntries(given) as AuditMetadata },
  };
}

function read(operator: string, at: number) {
  return {
    at,
    action: "event.read",
    userId: `operator:${operator}`,
    result: "success",
  } as const satisfies Partial<AuditDraft>;
}

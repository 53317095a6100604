import {
  type AuditAction,
  type AuditDraft,
  clipText,
} from "../core/audit-entry.ts";
import {
  type AttemptResult,
  type ClaimedDelivery,
  type DeliveryState,
} from "../core/model.ts";

const ACTIONS = {
  succeeded: "delivery.succeeded",
  pending: "delivery.failed",
  exhausted: "delivery.exhausted",
} as const satisfies Record<DeliveryState["state"], AuditAction>;

/** The audit entry for the end of one attempt. */
export function outcomeEntry(outcome: {
  delivery: ClaimedDelivery;
  result: AttemptResult;
  next: DeliveryState;
  at: number;
  durationMs: number;
}): AuditDraft {
  const { delivery, result, next, at, durationMs } = outcome;
  const { event, destination, attempt } = delivery;
  return {
    at,
    action: ACTIONS[next.state],
    userId: "worker",
    resource: clipText(`/destinations/${destination}`),
    result: result.ok ? "success" : "failure",
    metadata: {
      source: event.source,
      eventId: event.id,
      eventType: event.type,
      deliveryId: delivery.id,
      attempt,
      durationMs,
      status: result.status,
      ...(result.ok
        ? {}
        : {
            reason: result.reason,
            detail:
              result.detail === undefined ? undefined : clipText(result.detail),
          }),
      nextAttemptAt:
        next.state === "pending"
          ? new Date(next.dueAt).toISOString()
          : undefined,
    },
  };
}

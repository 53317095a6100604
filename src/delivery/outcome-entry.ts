import type { LostAttempt } from "../store/records.ts";
import type {
  AttemptResult,
  ClaimedDelivery,
  DeliveryState,
} from "../domain/delivery.ts";
import {
  type AuditAction,
  type AuditDraft,
  type AuditMetadata,
  clipText,
} from "../audit/entry.ts";

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
}): AuditDraft {
  const { delivery, result, next, at } = outcome;
  return entryOf(delivery, next, at, {
    durationMs: at - delivery.startedAt,
    status: result.status,
    ...(result.ok
      ? {}
      : {
          reason: result.reason,
          detail:
            result.detail === undefined ? undefined : clipText(result.detail),
        }),
  });
}

/** The audit entry for an attempt of which nobody knows how it ended. */
export function lostEntry(outcome: {
  lost: LostAttempt;
  next: DeliveryState;
  at: number;
}): AuditDraft {
  const { lost, next, at } = outcome;
  return entryOf(lost, next, at, {
    reason: "process_died",
    crashes: lost.crashes,
  });
}

function entryOf(
  delivery: LostAttempt | ClaimedDelivery,
  next: DeliveryState,
  at: number,
  facts: AuditMetadata,
): AuditDraft {
  const { id, event, destination, attempt } = delivery;
  return {
    at,
    action: ACTIONS[next.state],
    userId: "worker",
    resource: clipText(`/destinations/${destination}`),
    result: next.state === "succeeded" ? "success" : "failure",
    metadata: {
      source: event.source,
      eventId: event.id,
      eventType: event.type,
      deliveryId: id,
      attempt,
      ...facts,
      nextAttemptAt:
        next.state === "pending"
          ? new Date(next.dueAt).toISOString()
          : undefined,
    },
  };
}

import type {
  AttemptResult,
  ClaimedDelivery,
  DeliveryFacts,
  DeliveryState,
  LostAttempt,
} from "../domain/delivery.ts";
import type { StoredEvent } from "../domain/event.ts";
import {
  type AuditAction,
  type AuditDraft,
  type AuditMetadata,
  clipText,
} from "./entry.ts";

const ACTIONS = {
  succeeded: "delivery.succeeded",
  pending: "delivery.failed",
  exhausted: "delivery.exhausted",
} as const satisfies Record<DeliveryState["state"], AuditAction>;

/** Returns the audit entry for the outcome of one attempt. */
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

/** Returns the audit entry for an attempt without a known outcome. `next`: null = another entry records the new state. */
export function lostEntry(outcome: {
  lost: LostAttempt;
  next: DeliveryState | null;
  at: number;
}): AuditDraft {
  const { lost, next, at } = outcome;
  return entryOf(lost, next, at, {
    reason: "process_died",
    crashes: lost.crashes,
  });
}

/** The reason in the entry of a delivery that was pending longer than its destination's `maxAge`. */
export const TOO_OLD = "too_old";

/** Returns the audit entry for a delivery that was pending longer than its destination's `maxAge`. */
export function tooOldEntry(
  delivery: Pick<ClaimedDelivery, "id" | "destination" | "attempt"> & {
    event: Pick<StoredEvent, "source" | "id" | "type">;
    pendingSince: number;
  },
  at: number,
): AuditDraft {
  return entryOf(delivery, { state: "exhausted" }, at, {
    reason: TOO_OLD,
    pendingSince: new Date(delivery.pendingSince).toISOString(),
  });
}

/** Returns the audit entry for the redelivery of an existing delivery. */
export function redelivered(
  delivery: DeliveryFacts,
  operator: string,
  at: number,
): AuditDraft {
  return operatorEntry("delivery.redelivered", delivery, { operator, at });
}

/** Returns the audit entry for a delivery that an operator created for an event that was already stored. */
export function created(
  delivery: Omit<DeliveryFacts, "state" | "attempt">,
  operator: string,
  at: number,
): AuditDraft {
  const facts = { ...delivery, state: "pending", attempt: 0 } as const;
  const entry = operatorEntry("delivery.redelivered", facts, { operator, at });
  return { ...entry, metadata: { ...entry.metadata, created: true } };
}

/** Returns the audit entry for a delivery that an operator discarded. `delivery` has the state before the discard. */
export function discarded(
  delivery: DeliveryFacts,
  operator: string,
  at: number,
): AuditDraft {
  return operatorEntry("delivery.discarded", delivery, { operator, at });
}

function operatorEntry(
  action: AuditAction,
  delivery: DeliveryFacts,
  { operator, at }: { operator: string; at: number },
): AuditDraft {
  const { id, destination, state, attempt, event } = delivery;
  return {
    at,
    action,
    userId: `operator:${operator}`,
    resource: clipText(`/destinations/${destination}`),
    result: "success",
    metadata: {
      source: event.source,
      eventId: event.id,
      eventType: event.type,
      deliveryId: id,
      state,
      attempt,
    },
  };
}

function entryOf(
  delivery: Pick<LostAttempt, "id" | "event" | "destination" | "attempt">,
  next: DeliveryState | null,
  at: number,
  facts: AuditMetadata,
): AuditDraft {
  const { id, event, destination, attempt } = delivery;
  return {
    at,
    action: ACTIONS[next?.state ?? "pending"],
    userId: "worker",
    resource: clipText(`/destinations/${destination}`),
    result: next?.state === "succeeded" ? "success" : "failure",
    metadata: {
      source: event.source,
      eventId: event.id,
      eventType: event.type,
      deliveryId: id,
      attempt,
      ...facts,
      nextAttemptAt:
        next?.state === "pending"
          ? new Date(next.dueAt).toISOString()
          : undefined,
    },
  };
}

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

/** The audit entry for an attempt whose outcome is unknown. `next`: null when another entry tells what became of the delivery. */
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

/** Why a delivery is exhausted that has been pending for longer than its destination allows. */
export const TOO_OLD = "too_old";

/** The audit entry for a delivery that has been pending for longer than its destination allows. */
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

/** The audit entry of a delivery that an operator has made due again. */
export function redelivered(
  delivery: DeliveryFacts,
  operator: string,
  at: number,
): AuditDraft {
  return operatorEntry("delivery.redelivered", delivery, { operator, at });
}

/** The audit entry of a delivery that an operator has had made for an event that was stored before. */
export function created(
  delivery: Omit<DeliveryFacts, "state" | "attempt">,
  operator: string,
  at: number,
): AuditDraft {
  const facts = { ...delivery, state: "pending", attempt: 0 } as const;
  const entry = operatorEntry("delivery.redelivered", facts, { operator, at });
  return { ...entry, metadata: { ...entry.metadata, created: true } };
}

/** The audit entry of a delivery that an operator has discarded; its state is the one before. */
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

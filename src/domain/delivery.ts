import type { ErrorDescription } from "./error-description.ts";
import type { StoredEvent } from "./event.ts";

/* All times are unix milliseconds. */

/** The duty to deliver a new event to one destination. */
export interface NewDelivery {
  readonly destination: string;
  /** Deliveries of one destination with the same key are made one after another; null = in parallel. */
  readonly orderKey: string | null;
}

/** A delivery that the worker holds under a lease. */
export interface ClaimedDelivery {
  readonly id: number;
  readonly destination: string;
  /** Counts every attempt from 1, never twice the same: it fences late results. */
  readonly attempt: number;
  /**
   * The attempt as `RETRY_SCHEDULE` counts it, from 1: without those that a stop or a crash of the process interrupted, and
   * without those before a redelivery.
   */
  readonly scheduledAttempt: number;
  /** How often the process died during an attempt of it. */
  readonly crashes: number;
  /** When this attempt was claimed. */
  readonly startedAt: number;
  readonly event: StoredEvent;
}

/** An attempt during which the process died: its lease has ended, or its holder is known to be gone. */
export interface LostAttempt extends Pick<
  ClaimedDelivery,
  "id" | "destination" | "attempt"
> {
  readonly event: Pick<StoredEvent, "source" | "id" | "type">;
  /** This one counted. */
  readonly crashes: number;
}

/** The states that a delivery can be in; `discarded` by an operator alone. */
export type DeliveryStateName = DeliveryState["state"] | "discarded";

/** Which attempt it is, for the operational log. */
export interface AttemptFacts {
  readonly source: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly destination: string;
  readonly attempt: number;
}

/** The facts of an attempt that is claimed or lost. */
export function attemptFacts({
  event,
  destination,
  attempt,
}: Pick<LostAttempt, "event" | "destination" | "attempt">): AttemptFacts {
  return {
    source: event.source,
    eventId: event.id,
    eventType: event.type,
    destination,
    attempt,
  };
}

/** A delivery with what its audit entry tells of its event. */
export interface DeliveryFacts {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly event: Pick<StoredEvent, "source" | "id" | "type">;
}

/** How one attempt ended. A destination returns this and never throws. */
export type AttemptResult =
  | { readonly ok: true; readonly status?: number }
  | (AttemptFailure & {
      readonly ok: false;
      /** The wait that the destination asked for with Retry-After, in milliseconds. */
      readonly retryAfterMs?: number;
      /** The destination rejects this delivery permanently (410). */
      readonly gone?: boolean;
    });

/** Why an attempt failed. */
export interface AttemptFailure {
  /** A short word for the audit trail: `status`, `timeout`, `network`, `handler_threw`, … */
  readonly reason: string;
  readonly status?: number;
  readonly detail?: string;
  /** What a handler threw: for the operational log alone, as it may repeat the payload. */
  readonly error?: ErrorDescription | undefined;
}

/** An attempt that failed: of which delivery, and why. */
export interface FailedAttempt extends AttemptFacts {
  readonly failure: AttemptFailure;
}

/** The state of a delivery after an attempt. */
export type DeliveryState =
  | { readonly state: "succeeded" }
  | { readonly state: "pending"; readonly dueAt: number }
  | { readonly state: "exhausted" };

/** The stored outcome of one attempt. */
export interface AttemptRecord {
  readonly attempt: number;
  readonly startedAt: number | null;
  /** Null when the process died during it. */
  readonly endedAt: number | null;
  readonly ok: boolean;
  readonly status: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** The present state of a delivery. */
export interface DeliveryStatus {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  /** Number of attempts started. */
  readonly attempt: number;
  /** Whether an attempt is in flight. */
  readonly inFlight: boolean;
  /** When the next attempt is due; null when none is, one is in flight, or another delivery with its order key is first. */
  readonly nextAttemptAt: number | null;
}

import type { ErrorDescription } from "./error-description.ts";
import type { StoredEvent } from "./event.ts";

/* All times are unix milliseconds. */

/** A delivery of an event to one destination, before it is stored. */
export interface NewDelivery {
  readonly destination: string;
  /** Deliveries with the same key to one destination are attempted one after another; null = in parallel. */
  readonly orderKey: string | null;
}

/** A delivery that the worker holds under a lease. */
export interface ClaimedDelivery {
  readonly id: number;
  readonly destination: string;
  /** Counts every attempt from 1. A number is used only once, so a late result of an older attempt can be recognised. */
  readonly attempt: number;
  /**
   * The attempt as `RETRY_SCHEDULE` counts it, from 1. Attempts that a stop or a crash of the process interrupted do not
   * count, nor do attempts before a redelivery.
   */
  readonly scheduledAttempt: number;
  /** Number of attempts of this delivery during which the process died. */
  readonly crashes: number;
  /** When this attempt was claimed. */
  readonly startedAt: number;
  readonly event: StoredEvent;
}

/** An attempt during which the process died. Its lease has ended, or the process that held the lease has ended. */
export interface LostAttempt extends Pick<
  ClaimedDelivery,
  "id" | "destination" | "attempt"
> {
  readonly event: Pick<StoredEvent, "source" | "id" | "type">;
  /** Number of attempts during which the process died, including this one. */
  readonly crashes: number;
}

/** The states of a delivery. Only an operator sets `discarded`. */
export type DeliveryStateName = DeliveryState["state"] | "discarded";

/** Identifies an attempt in the operational log. */
export interface AttemptFacts {
  readonly source: string;
  readonly eventId: string;
  readonly eventType: string;
  readonly destination: string;
  readonly attempt: number;
}

/** Returns the facts that identify a claimed or lost attempt. */
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

/** A delivery, with the facts about its event that its audit entry contains. */
export interface DeliveryFacts {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  readonly attempt: number;
  readonly event: Pick<StoredEvent, "source" | "id" | "type">;
}

/** The result of one attempt. A destination returns it and never throws. */
export type AttemptResult =
  | { readonly ok: true; readonly status?: number }
  | (AttemptFailure & {
      readonly ok: false;
      /** The wait that the destination requested with Retry-After, in milliseconds. */
      readonly retryAfterMs?: number;
      /** Whether the destination rejects this delivery permanently (410). */
      readonly gone?: boolean;
    });

/** Why an attempt failed. */
export interface AttemptFailure {
  /** A code for the audit trail: `status`, `timeout`, `network`, `handler_threw`, … */
  readonly reason: string;
  readonly status?: number;
  readonly detail?: string;
  /** What a handler threw. Only for the operational log, because it may contain parts of the payload. */
  readonly error?: ErrorDescription | undefined;
}

/** A failed attempt and its reason. */
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
  /** Null if the process died during the attempt. */
  readonly endedAt: number | null;
  readonly ok: boolean;
  readonly status: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** The current state of a delivery. */
export interface DeliveryStatus {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryStateName;
  /** Number of attempts started. */
  readonly attempt: number;
  /** Whether an attempt is in flight. */
  readonly inFlight: boolean;
  /** When the next attempt is due. Null if none is due, one is in flight, or another delivery with its order key is first. */
  readonly nextAttemptAt: number | null;
}

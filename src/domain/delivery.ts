import type { StoredEvent } from "./event.ts";

/** The duty to bring a new event to one destination. */
export interface NewDelivery {
  readonly destination: string;
  /** Deliveries of one destination with the same key go one after another; null = in parallel. */
  readonly orderKey: string | null;
}

/** A delivery that the worker holds under a lease. */
export interface ClaimedDelivery {
  readonly id: number;
  readonly destination: string;
  /** Counts every attempt from 1, never twice the same: it fences late results. */
  readonly attempt: number;
  /**
   * The attempt as `RETRY_SCHEDULE` counts it, from 1: without those that a stop or a death of the process cut off, and
   * without those before a redelivery.
   */
  readonly scheduledAttempt: number;
  /** How often the process died during an attempt of it. */
  readonly crashes: number;
  /** When this attempt was claimed. */
  readonly startedAt: number;
  readonly event: StoredEvent;
}

/** How one attempt ended. A destination returns this and never throws. */
export type AttemptResult =
  | { readonly ok: true; readonly status?: number }
  | {
      readonly ok: false;
      /** A short word for the audit trail: `status`, `timeout`, `network`, `handler_threw`, … */
      readonly reason: string;
      readonly status?: number;
      readonly detail?: string;
      /** How long the destination asked to be left alone, in milliseconds. */
      readonly retryAfterMs?: number;
      /** The destination wants nothing more of this delivery (410). */
      readonly gone?: boolean;
    };

/** The state of a delivery after an attempt. */
export type DeliveryState =
  | { readonly state: "succeeded" }
  | { readonly state: "pending"; readonly dueAt: number }
  | { readonly state: "exhausted" };

/** How one attempt went, as it is kept. */
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

/** A delivery as it stands. */
export interface DeliveryStatus {
  readonly id: number;
  readonly destination: string;
  readonly state: DeliveryState["state"];
  /** Attempts started so far. */
  readonly attempt: number;
  /** Whether an attempt is under way. */
  readonly underWay: boolean;
  /** When the next attempt is due; null when there is none, or one under way, or another of its key goes first. */
  readonly nextAttemptAt: number | null;
}

import type { PausedDestination } from "../store/records.ts";
import type { Destination } from "../domain/destination.ts";

/** What an operator sees of a circuit breaker. */
export interface BreakerStatus {
  /** `closed`: attempts are made; `open`: none are; `half-open`: one at a time is, to see whether it succeeds. */
  readonly state: "closed" | "open" | "half-open";
  /** Failed attempts since the last that succeeded. */
  readonly failures: number;
  /** When the next probe is made while it is not closed; in a `WorkerStatus` unix milliseconds. */
  readonly probeAt: number | null;
}

/** What an operator sees of a worker. */
export interface WorkerStatus {
  /** Attempts under way. */
  readonly inFlight: number;
  readonly paused: boolean;
  readonly breaker: BreakerStatus;
  /** Whether its rate limit allows no attempt now. */
  readonly isRateLimited: boolean;
  /** Unix milliseconds when it allows the next one; null = it does now. */
  readonly rateLimitedUntil: number | null;
}

/** A destination that is served, with its worker. */
export interface ServedDestination {
  readonly destination: Destination;
  readonly worker: WorkerStatus;
}

/** A destination as an operator sees it. One that is not configured any more has no worker. */
export interface DestinationStatus {
  readonly name: string;
  readonly destination: Destination | null;
  readonly worker: WorkerStatus | null;
  readonly paused: PausedDestination | null;
  /** 10,000 means that many or more. */
  readonly pending: number;
  readonly exhausted: number;
}

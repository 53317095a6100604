import type { PausedDestination } from "../store/records.ts";
import type { Destination } from "../domain/destination.ts";

/** The state of a circuit breaker, as an operator sees it. */
export interface BreakerStatus {
  /** `closed`: attempts start normally. `open`: none starts. `half-open`: a single probe may start. */
  readonly state: "closed" | "open" | "half-open";
  /** The number of failed attempts since the last success. */
  readonly failures: number;
  /** When the next probe may start; null while closed. In a `WorkerStatus` it is in unix milliseconds. */
  readonly probeAt: number | null;
}

/** The state of a worker, as an operator sees it. */
export interface WorkerStatus {
  /** The number of attempts in flight. */
  readonly inFlight: number;
  readonly paused: boolean;
  readonly breaker: BreakerStatus;
  /** Whether the rate limit allows no attempt now. */
  readonly isRateLimited: boolean;
  /** When the rate limit allows the next attempt, in unix milliseconds; null = now. */
  readonly rateLimitedUntil: number | null;
}

/** A destination that this process serves, with the status of its worker. */
export interface ServedDestination {
  readonly destination: Destination;
  readonly worker: WorkerStatus;
}

/** A destination as an operator sees it. `destination` and `worker` are null when it is no longer configured. */
export interface DestinationStatus {
  readonly name: string;
  readonly destination: Destination | null;
  readonly worker: WorkerStatus | null;
  readonly paused: PausedDestination | null;
  /** The value 10,000 means 10,000 or more. */
  readonly pending: number;
  readonly exhausted: number;
}

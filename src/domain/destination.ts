import type { AttemptResult, ClaimedDelivery } from "./delivery.ts";

/** Which events a destination gets, and in what order. */
export interface Route {
  /** The destination's name. */
  readonly name: string;
  /** Names of the sources whose events it gets. */
  readonly sources: readonly string[];
  /** Event type patterns: exact, `prefix.*` or `*`. */
  readonly events: readonly string[];
  /** JSON pointer (RFC 6901) to the order key. Events with one key are delivered one after another; null = in parallel. */
  readonly orderBy: string | null;
}

/** Maximum number of attempts that start in any period of `perMs` milliseconds. */
export interface RateLimit {
  readonly attempts: number;
  readonly perMs: number;
}

/** The settings of one destination for its attempts. Without a value, the general setting applies, or no limit. */
export interface AttemptSettings {
  /** Waits after failed attempts, in milliseconds. */
  readonly retryScheduleMs?: readonly number[] | undefined;
  readonly attemptTimeoutMs?: number | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** A delivery that is pending for longer becomes exhausted. */
  readonly maxAgeMs?: number | undefined;
}

/** Where events are delivered. Each destination has one worker. */
export interface Destination extends Route, AttemptSettings {
  readonly kind: "http" | "handler";
  /** The address to show, without secrets: the origin of its URL. */
  readonly place: string;
  /** Maximum number of attempts in flight. */
  readonly concurrency: number;
  /** Makes one attempt. Ends early if `signal` aborts. `traceparent`: the attempt's span; null if there is none. */
  attempt(
    delivery: ClaimedDelivery,
    signal: AbortSignal,
    traceparent: string | null,
  ): Promise<AttemptResult>;
  /** Closes connections that stay open between attempts. */
  close?(): void;
}

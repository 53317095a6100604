import type { AttemptResult, ClaimedDelivery } from "./delivery.ts";

/** Which events a destination gets, and in what order. */
export interface Route {
  /** The destination's name. */
  readonly name: string;
  /** Names of the sources whose events it gets. */
  readonly sources: readonly string[];
  /** Event type patterns: exact, `prefix.*` or `*`. */
  readonly events: readonly string[];
  /** JSON pointer (RFC 6901) to the key whose events are delivered one after another; null = all in parallel. */
  readonly orderBy: string | null;
}

/** At most this many attempts begin in any `perMs` milliseconds. */
export interface RateLimit {
  readonly attempts: number;
  readonly perMs: number;
}

/** What a destination sets for its own attempts. Left out: as for all destinations, or no limit. */
export interface AttemptSettings {
  /** Waits after failed attempts, in milliseconds. */
  readonly retryScheduleMs?: readonly number[] | undefined;
  readonly attemptTimeoutMs?: number | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** A delivery that has been pending longer is exhausted. */
  readonly maxAgeMs?: number | undefined;
}

/** Where events are delivered; one worker serves each. */
export interface Destination extends Route, AttemptSettings {
  readonly kind: "http" | "handler";
  /** Its address for people, with nothing secret: the origin of its URL. */
  readonly place: string;
  /** Maximum attempts in flight. */
  readonly concurrency: number;
  /** Makes one attempt; ends when `signal` aborts. */
  attempt(
    delivery: ClaimedDelivery,
    signal: AbortSignal,
  ): Promise<AttemptResult>;
  /** Closes what it keeps open between attempts. */
  close?(): void;
}

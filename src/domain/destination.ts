import type { AttemptResult, ClaimedDelivery } from "./delivery.ts";

/** Which events a destination gets, and in what order. */
export interface Route {
  /** The destination's name. */
  readonly name: string;
  /** Names of the sources whose events it gets. */
  readonly sources: readonly string[];
  /** Event type patterns: exact, `prefix.*` or `*`. */
  readonly events: readonly string[];
  /** JSON pointer (RFC 6901) to the key whose events go one after another; null = all in parallel. */
  readonly orderBy: string | null;
}

/** A place that events are brought to; one worker serves each. */
export interface Destination extends Route {
  readonly kind: "http" | "handler";
  /** Where it is, as far as that may be shown: the origin of an URL, which says nothing secret. */
  readonly place: string;
  /** Attempts that may be under way at once. */
  readonly concurrency: number;
  /** Makes one attempt; ends when `signal` aborts. */
  attempt(
    delivery: ClaimedDelivery,
    signal: AbortSignal,
  ): Promise<AttemptResult>;
  /** Lets go of what it keeps open between attempts. */
  close?(): void;
}

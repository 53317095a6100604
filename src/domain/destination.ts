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

/** Where events are delivered; one worker serves each. */
export interface Destination extends Route {
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

import type { Control } from "../store/port.ts";
import type { PublishedDestination } from "../store/records.ts";
import type { ServedDestination } from "./destination-status.ts";

/** How often it is published while attempts are held back, in milliseconds: what is older says nothing of them. */
const HELD_BACK_MS = 4000;

/** How often it is published when nothing changes, in milliseconds: the store drops what is a day old. */
const UNCHANGED_MS = 3_600_000;

/**
 * Returns what publishes to the store what lives in this process: the destinations that it serves, with their breakers and
 * rate limits, for commands and other processes. To be called every few seconds; writes only when something has changed, or
 * while a destination is held back.
 */
export function createStatusPublisher(deps: {
  readonly store: Pick<Control, "publishStatus">;
  readonly served: () => readonly ServedDestination[];
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}): () => Promise<void> {
  let published = "";
  let publishedAt = Number.NEGATIVE_INFINITY;

  return async () => {
    const destinations = deps.served().map(toPublish);
    const at = deps.monotonic();
    const state = JSON.stringify(destinations);
    const isHeldBack = destinations.some(
      ({ breaker, isRateLimited }) => breaker !== "closed" || isRateLimited,
    );
    const age = at - publishedAt;
    if (
      state !== published ||
      age >= (isHeldBack ? HELD_BACK_MS : UNCHANGED_MS)
    ) {
      await deps.store.publishStatus(destinations);
      published = state;
      publishedAt = at;
    }
  };
}

function toPublish({
  destination,
  worker,
}: ServedDestination): PublishedDestination {
  const { name, kind, sources, events, orderBy } = destination;
  const { breaker, isRateLimited } = worker;
  return {
    name,
    kind,
    sources,
    events,
    orderBy,
    breaker: breaker.state,
    probeAt: breaker.probeAt,
    isRateLimited,
  };
}

import type { Control, Store } from "../store/port.ts";
import type { PublishedDestination } from "../store/records.ts";
import type { ServedDestination } from "./destination-status.ts";

/** How often the status is published while attempts are held back, in milliseconds. Readers ignore a status older than 10 s. */
const HELD_BACK_MS = 4000;

/**
 * How often an unchanged status is published, in milliseconds. The store drops a status that is a day old. In a shared store
 * it is published as often as while attempts are held back, because it is also the process's sign of life.
 */
const UNCHANGED_MS = 3_600_000;

/**
 * Returns a function that publishes the state of this process to the store, for commands and other processes. The state is
 * the destinations that it serves with their breakers and rate limits. The function must be called every few seconds. It
 * writes only when the state has changed, or while a destination is held back.
 */
export function createStatusPublisher(deps: {
  readonly store: Pick<Control, "publishStatus"> & Pick<Store, "isShared">;
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
      age >= (isHeldBack || deps.store.isShared ? HELD_BACK_MS : UNCHANGED_MS)
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

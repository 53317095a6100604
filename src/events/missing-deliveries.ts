import type { NewDelivery } from "../domain/delivery.ts";
import type { Route } from "../domain/destination.ts";
import type { EventStatus } from "../domain/event-status.ts";
import { createRouter } from "../intake/routing.ts";
import type { EventReader } from "../store/port.ts";

/** A delivery that the current routes require and that an event does not have. */
export interface MissingDelivery {
  readonly event: EventStatus;
  readonly missing: NewDelivery;
}

export type FindMissing = (
  store: Pick<EventReader, "readBody">,
  event: EventStatus,
) => Promise<readonly MissingDelivery[]>;

const NO_BODY = Buffer.alloc(0);

/**
 * Returns a function that finds the missing deliveries of an event, with the router of the intake. `destination`: only
 * deliveries to this destination; null = to all. The body contains the order keys. It is read only if a delivery is missing.
 */
export function createFindMissing(
  routes: readonly Route[],
  destination: string | null,
): FindMissing {
  const wanted = routes.filter(
    ({ name }) => destination === null || name === destination,
  );
  const route = createRouter(wanted);
  const match = createRouter(wanted.map((one) => ({ ...one, orderBy: null })));

  return async (store, event) => {
    const { seq, source, type, deliveries } = event;
    const isMissing = (candidate: NewDelivery): boolean =>
      deliveries.every((one) => one.destination !== candidate.destination);
    if (!match({ source, type, body: NO_BODY }).some(isMissing)) {
      return [];
    }
    const body = await store.readBody(seq);
    // The event may have been purged in the meantime.
    return body === null
      ? []
      : route({ source, type, body })
          .filter(isMissing)
          .map((missing) => ({ event, missing }));
  };
}

import type { DestinationReader, EventReader } from "../store/port.ts";
import { createEventFilter } from "./event-filter.ts";

/** Maximum number of steps of a search for deliveries. */
const MAX_STEPS = 1000;

/**
 * Returns whether the store has a delivery to a destination, in any state. Also returns true if the search ends at its
 * limit without a result.
 */
export async function hasDeliveries(
  store: EventReader & Pick<DestinationReader, "countDeliveries">,
  destination: string,
): Promise<boolean> {
  const counts = await store.countDeliveries();
  if (counts.some((one) => one.destination === destination)) {
    return true;
  }
  const filter = createEventFilter({ destination });
  let from: number | null = null;
  for (let step = 0; step < MAX_STEPS; step += 1) {
    const found = await store.scanEvents({
      filter,
      order: "newest",
      from,
      limit: 1,
    });
    if (found.events.length > 0) {
      return true;
    }
    if (found.next === null) {
      return false;
    }
    from = found.next;
  }
  return true;
}

/** Returns the list of configured destinations for a message, such as `configured destinations: billing, ci`. */
export function configuredAre(names: readonly string[]): string {
  return `configured destinations: ${names.length === 0 ? "none" : sortedNames(names)}`;
}

/** Returns the message for an unknown destination name. `origin`: where the configured names come from. */
export function unknownDestination(
  name: string,
  configured: readonly string[],
  origin?: string,
): string {
  const by = origin === undefined ? "" : ` (${origin})`;
  return `there is no destination ${JSON.stringify(name)}; ${configuredAre(configured)}${by}`;
}

/** Returns the message for deliveries whose destinations are no longer configured. */
export function goneDestinations(
  removed: readonly string[],
  configured: readonly string[],
  origin?: string,
): string {
  const by = origin === undefined ? "" : `; ${origin}`;
  return `no longer configured: ${sortedNames(new Set(removed))} (${configuredAre(configured)}${by}); choose one of the configured destinations, or discard these deliveries`;
}

function sortedNames(names: Iterable<string>): string {
  return [...names].sort().join(", ");
}

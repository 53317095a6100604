import type { DestinationReader, EventReader } from "../store/port.ts";
import { createEventFilter } from "./event-filter.ts";

/** Maximum number of steps of a search for deliveries; a name that was not found by then may be one. */
const MAX_STEPS = 1000;

/** Whether there is a delivery to a destination in the store, in any state. */
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

/** `configured are: billing, ci`. */
export function configuredAre(known: readonly string[]): string {
  return `configured are: ${known.length === 0 ? "none" : inOrderOfNames(known)}`;
}

/** What is wrong with the name of a destination, for the operator who gave it. `origin`: where the names come from. */
export function unknownDestination(
  name: string,
  known: readonly string[],
  origin?: string,
): string {
  const by = origin === undefined ? "" : ` (${origin})`;
  return `there is no destination ${JSON.stringify(name)}; ${configuredAre(known)}${by}`;
}

/** The same for deliveries whose destinations are not configured any more. */
export function goneDestinations(
  gone: readonly string[],
  known: readonly string[],
  origin?: string,
): string {
  const by = origin === undefined ? "" : `; ${origin}`;
  return `no longer configured: ${inOrderOfNames(new Set(gone))} (${configuredAre(known)}${by}); choose one of the destinations, or discard those deliveries`;
}

function inOrderOfNames(names: Iterable<string>): string {
  return [...names].sort().join(", ");
}

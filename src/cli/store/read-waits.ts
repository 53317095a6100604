import type { DeliveryStatus } from "../../domain/delivery.ts";
import {
  readHeldBack,
  recentlyPublished,
  type Wait,
  waitOf,
} from "../../events/waits.ts";
import type { DestinationReader } from "../../store/port.ts";
import { publishedRoutes } from "./served-destinations.ts";

/**
 * Returns a function that says why a delivery waits. It uses the store, and the states that running services publish there.
 * `configured`: names of the destinations, used if no service has published any; null: unknown.
 */
export async function readWaits(
  store: DestinationReader,
  configured: readonly string[] | null,
): Promise<(delivery: DeliveryStatus) => Wait | null> {
  const now = Date.now();
  const published = await publishedRoutes(store);
  const served = await recentlyPublished(store, now);
  const heldBack = await readHeldBack(store, {
    configured: published?.map(({ name }) => name) ?? configured,
    served,
  });
  return (delivery) => waitOf(delivery, heldBack, now);
}

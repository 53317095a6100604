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
 * Returns why a delivery waits, as the store and what running services have published to it tell. `configured`: names of the
 * destinations for the time before a service has published its own, which alone decide what is attempted; null = unknown.
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

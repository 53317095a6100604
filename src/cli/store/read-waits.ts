import type { DeliveryStatus } from "../../domain/delivery.ts";
import {
  readHeldBack,
  recentlyPublished,
  type WaitReason,
  waitReason,
} from "../../events/waits.ts";
import type { DestinationReader } from "../../store/port.ts";

/** Returns why a delivery waits, as the store and what running services have published to it tell. */
export async function readWaits(
  store: DestinationReader,
  configured: readonly string[] | null,
): Promise<(delivery: DeliveryStatus) => WaitReason | null> {
  const now = Date.now();
  const served = await recentlyPublished(store, now);
  const heldBack = await readHeldBack(store, { configured, served });
  return (delivery) => waitReason(delivery, heldBack, now);
}

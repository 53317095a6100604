import type { Redeliverable } from "../../events/redelivery.ts";
import { asciiJson } from "../../json/ascii.ts";

/** What a dry run says of a delivery that is there. */
export type DeliveryAction = "redeliver" | "discard" | "leave";

/** A line for a program. */
export function deliveryPlanJson(
  { event, delivery }: Redeliverable,
  action: DeliveryAction,
): string {
  const { id: eventId, source } = event;
  const { id: deliveryId, destination, state, attempt } = delivery;
  return asciiJson({
    eventId,
    source,
    deliveryId,
    destination,
    state,
    attempt,
    action,
  });
}

/** The same for a person. */
export function deliveryPlanText(
  { event, delivery }: Redeliverable,
  action: DeliveryAction,
): string {
  const { destination, state, attempt } = delivery;
  const verb = action === "leave" ? "leave alone" : action;
  return `would ${verb} ${asciiJson(event.id)} to ${destination} (${state}, attempts: ${attempt})`;
}

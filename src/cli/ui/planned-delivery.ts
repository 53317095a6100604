import type { Redeliverable } from "../../events/redelivery.ts";
import { asciiJson } from "../../json/ascii.ts";

/** What a command would do with an existing delivery. */
export type DeliveryAction = "redeliver" | "discard" | "leave";

/** Formats a line of a dry run as JSON. */
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

/** Formats a line of a dry run for a person. */
export function deliveryPlanText(
  { event, delivery }: Redeliverable,
  action: DeliveryAction,
): string {
  const { destination, state, attempt } = delivery;
  const verb = action === "leave" ? "skip" : action;
  return `would ${verb} ${asciiJson(event.id)} to ${destination} (${state}, attempts: ${attempt})`;
}

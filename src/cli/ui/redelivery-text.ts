import { configuredAre } from "../../events/known-destination.ts";
import {
  isMissing,
  type Planned,
  type PlannedOutcome,
  type RedeliveryCount,
} from "../../events/redelivery.ts";
import { asciiJson } from "../../json/ascii.ts";
import { deliveriesCounted } from "../options/bulk-options.ts";
import {
  type DeliveryAction,
  deliveryPlanJson,
  deliveryPlanText,
} from "./planned-delivery.ts";

/** Returns what a redelivery does with an existing delivery. */
const actionOf = (outcome: PlannedOutcome): DeliveryAction =>
  outcome === "redelivered" ? "redeliver" : "leave";

/** Formats a line of a dry run as JSON. */
export function planJson(planned: Planned, outcome: PlannedOutcome): string {
  if (isMissing(planned)) {
    const { id: eventId, source } = planned.event;
    const { destination } = planned.missing;
    return asciiJson({ eventId, source, destination, action: "create" });
  }
  return deliveryPlanJson(planned, actionOf(outcome));
}

/** Formats a line of a dry run for a person. */
export function planText(planned: Planned, outcome: PlannedOutcome): string {
  if (isMissing(planned)) {
    return `would create a delivery of ${asciiJson(planned.event.id)} to ${planned.missing.destination}`;
  }
  return deliveryPlanText(planned, actionOf(outcome));
}

/** Formats the last line of a dry run. */
export function previewText(count: RedeliveryCount, routes: boolean): string {
  const { matched, inFlight, destinationGone, created } = count;
  const skipped = inFlight + destinationGone;
  return `${[
    `${matched - skipped} would be redelivered`,
    ...(routes ? [`${created} would be created`] : []),
    ...(skipped > 0 ? [`${skipped} skipped`] : []),
  ].join(", ")}; nothing was changed`;
}

export function countText(count: RedeliveryCount, routes: boolean): string {
  const { redelivered, created, inFlight, destinationGone } = count;
  const done = [
    `${deliveriesCounted(redelivered)} redelivered`,
    ...(routes ? [`${created} created`] : []),
  ].join(", ");
  return [
    done,
    ...(inFlight > 0
      ? [
          `${inFlight} skipped: an attempt is in flight, or it waits for another delivery of its order key`,
        ]
      : []),
    ...(destinationGone > 0
      ? [`${destinationGone} skipped: their destinations are not configured`]
      : []),
  ].join("; ");
}

/** Says why there is nothing to redeliver. */
export function nothingText(why: {
  /** The state that deliveries must be in; null: any. */
  state: string | null;
  /** The destination of the deliveries; null: any. */
  destination: string | null;
  /** Null: the command did not look for missing deliveries. */
  routed: {
    readonly destinations: readonly string[];
    /** Number of events that were routed. */
    readonly events: number;
    /** Number of these events that have no delivery and match no destination. */
    readonly unmatched: number;
  } | null;
}): string {
  const { state, destination, routed } = why;
  if (routed !== null && routed.events === 0) {
    return "nothing to redeliver: no event matches";
  }
  if (routed !== null && routed.unmatched === routed.events) {
    const counted = `${routed.events} ${routed.events === 1 ? "event" : "events"} checked`;
    return destination === null
      ? `${counted}: no configured destination matches (${configuredAre(routed.destinations)})`
      : `${counted}: ${destination} does not match`;
  }
  const reasons = [
    state === null ? "no delivery matches" : `no matching delivery is ${state}`,
    ...(routed === null ? [] : ["no delivery is missing"]),
  ];
  return `nothing to redeliver: ${reasons.join(", ")}`;
}

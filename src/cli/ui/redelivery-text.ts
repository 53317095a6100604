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

/** What `events redeliver` prints. */

/** What becomes of a delivery that is there. */
const actionOf = (outcome: PlannedOutcome): DeliveryAction =>
  outcome === "redelivered" ? "redeliver" : "leave";

/** A line of a dry run for a program. */
export function planJson(planned: Planned, outcome: PlannedOutcome): string {
  if (isMissing(planned)) {
    const { id: eventId, source } = planned.event;
    const { destination } = planned.missing;
    return asciiJson({ eventId, source, destination, action: "create" });
  }
  return deliveryPlanJson(planned, actionOf(outcome));
}

/** The same for a person. */
export function planText(planned: Planned, outcome: PlannedOutcome): string {
  if (isMissing(planned)) {
    return `would create a delivery of ${asciiJson(planned.event.id)} to ${planned.missing.destination}`;
  }
  return deliveryPlanText(planned, actionOf(outcome));
}

/** The end of a dry run. */
export function previewText(count: RedeliveryCount, routes: boolean): string {
  const { matched, inFlight, destinationGone, created } = count;
  const left = inFlight + destinationGone;
  return `${[
    `${matched - left} would be redelivered`,
    ...(routes ? [`${created} would be created`] : []),
    ...(left > 0 ? [`${left} left alone`] : []),
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
          `${inFlight} left alone: an attempt is in flight, or another of the key goes first`,
        ]
      : []),
    ...(destinationGone > 0
      ? [`${destinationGone} left alone: their destinations are not configured`]
      : []),
  ].join("; ");
}

/** Why there is nothing to redeliver. */
export function nothingText(why: {
  /** The state that deliveries were looked for in; null = any. */
  state: string | null;
  /** Only deliveries to this destination; null = to any. */
  destination: string | null;
  /** Null = missing deliveries were not looked for. */
  routed: {
    readonly destinations: readonly string[];
    /** Number of events that were routed, and of those that have no delivery and match no destination. */
    readonly events: number;
    readonly unmatched: number;
  } | null;
}): string {
  const { state, destination, routed } = why;
  if (routed !== null && routed.events === 0) {
    return "nothing to redeliver: no event fits";
  }
  if (routed !== null && routed.unmatched === routed.events) {
    const counted = `${routed.events} ${routed.events === 1 ? "event" : "events"} looked at`;
    return destination === null
      ? `${counted}: no configured destination matches (${configuredAre(routed.destinations)})`
      : `${counted}: ${destination} does not match`;
  }
  const reasons = [
    state === null ? "no delivery fits" : `no delivery that fits is ${state}`,
    ...(routed === null ? [] : ["none is missing"]),
  ];
  return `nothing to redeliver: ${reasons.join(", ")}`;
}

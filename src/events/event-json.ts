import type { EventDetail, EventStatus } from "../domain/event-status.ts";
import type { DeliveryStatus } from "../domain/delivery.ts";
import type { Wait } from "./waits.ts";

/* Events as the management API and `--json` show them. Times are in ISO 8601. Bodies are not included. */

/** Returns what a delivery waits for; null if it is not pending. */
type Waits = (delivery: DeliveryStatus) => Wait | null;

export function eventJson(event: EventStatus, waits: Waits) {
  const deliveries = event.deliveries.map((one) => deliveryJson(one, waits));
  return { ...headOf(event), deliveries };
}

export function eventDetailJson(event: EventDetail, waits: Waits) {
  const { contentType, headers, bodySha256, deliveries } = event;
  return {
    ...headOf(event),
    contentType,
    bodySha256,
    headers,
    deliveries: deliveries.map(({ attempts, ...delivery }) => ({
      ...deliveryJson(delivery, waits),
      attempts: attempts.map(({ startedAt, endedAt, ok, ...how }) => ({
        attempt: how.attempt,
        result: ok ? "success" : "failure",
        startedAt: isoTime(startedAt),
        endedAt: isoTime(endedAt),
        status: how.status,
        reason: how.reason,
        detail: how.detail,
      })),
    })),
  };
}

/** Adds the body of an event in base64. The caller first writes the audit entry `event.read`. */
export function withBody<T extends object>(
  json: T,
  body: Buffer,
): T & { readonly body: string } {
  return { ...json, body: body.toString("base64") };
}

export function isoTime(milliseconds: number | null): string | null {
  return milliseconds === null ? null : new Date(milliseconds).toISOString();
}

function headOf({ source, id, type, receivedAt, bodyBytes }: EventStatus) {
  return { id, source, type, receivedAt: isoTime(receivedAt), bodyBytes };
}

function deliveryJson(delivery: DeliveryStatus, waits: Waits) {
  const { id, destination, state, attempt, inFlight, nextAttemptAt } = delivery;
  return {
    id,
    destination,
    state,
    attempt,
    inFlight,
    nextAttemptAt: isoTime(nextAttemptAt),
    waitsFor: waits(delivery)?.reason ?? null,
  };
}

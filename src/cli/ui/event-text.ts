import type { EventDetail, EventStatus } from "../../domain/event-status.ts";
import type { DeliveryStatus } from "../../domain/delivery.ts";
import type { Wait, WaitReason } from "../../events/waits.ts";
import { shown, shownTime, wrap } from "../../terminal/terminal-text.ts";

/** Returns what a delivery waits for, or null if it is not pending. */
type Waits = (delivery: DeliveryStatus) => Wait | null;

/** Formats an event on one line, and each of its deliveries on a further line. */
export function eventText(
  event: EventStatus,
  waits: Waits,
  width: number,
): string {
  const { receivedAt, source, id, type, deliveries } = event;
  const line = (text: string): string[] => indentedLine(text, width);
  return [
    ...wrap(
      [shownTime(receivedAt), shown(source), shown(id), shown(type)],
      width,
      { whole: true },
    ),
    ...deliveries.flatMap((delivery) => line(deliveryText(delivery, waits))),
    ...(deliveries.length === 0
      ? line("unrouted: no destination matched")
      : []),
  ].join("\n");
}

/** Formats everything about an event except its body. */
export function eventDetailText(
  event: EventDetail,
  waits: Waits,
  width: number,
): string {
  const line = (text: string): string[] => indentedLine(text, width);
  const { receivedAt, source, id, type, bodyBytes, bodySha256 } = event;
  return [
    shown(id),
    ...line(`source ${shown(source)}, type ${shown(type)}`),
    ...line(
      `received ${shownTime(receivedAt)}, ${bodyBytes} bytes of ${shown(event.contentType)}`,
    ),
    ...line(`sha256 ${bodySha256}`),
    ...event.deliveries.flatMap((delivery) => [
      ...line(`delivery ${delivery.id} to ${deliveryText(delivery, waits)}`),
      ...delivery.attempts.flatMap((attempt) => {
        const { startedAt, endedAt, ok, status, reason, detail } = attempt;
        const took =
          startedAt === null || endedAt === null
            ? []
            : [`(${endedAt - startedAt} ms)`];
        return line(
          [
            `${attempt.attempt}.`,
            startedAt === null ? "" : shownTime(startedAt),
            ok ? "ok" : "FAIL",
            ...[reason, status, detail].flatMap((fact) =>
              fact === null ? [] : [shown(fact)],
            ),
            ...took,
          ].join(" "),
        );
      }),
    ]),
  ].join("\n");
}

const WAIT_TEXTS: Readonly<Record<WaitReason, string>> = {
  in_flight: "attempt in flight",
  destination_gone: "destination not configured in the service",
  paused: "paused by",
  order: "waits for another delivery of its order key",
  retry: "next",
  breaker_open: "circuit breaker open",
  rate_limit: "rate limit reached",
  due: "due",
};

function deliveryText(delivery: DeliveryStatus, waits: Waits): string {
  const { destination, state, attempt, nextAttemptAt } = delivery;
  const attempts = `${attempt} ${attempt === 1 ? "attempt" : "attempts"}`;
  const wait = waits(delivery);
  const next = wait === null ? "" : `, ${waitText(wait, nextAttemptAt)}`;
  return `${shown(destination)}: ${state}, ${attempts}${next}`;
}

function waitText(
  { reason, pause }: Wait,
  nextAttemptAt: number | null,
): string {
  const text = WAIT_TEXTS[reason];
  if (pause !== undefined) {
    const { pausedBy, pausedUntil } = pause;
    const until =
      pausedUntil === null ? "" : ` until ${shownTime(pausedUntil)}`;
    return `${text} ${shown(pausedBy)}${until}`;
  }
  return reason === "retry" && nextAttemptAt !== null
    ? `${text} ${shownTime(nextAttemptAt)}`
    : text;
}

/** Wraps an indented line. Ids stay whole, so that they can be copied. */
function indentedLine(text: string, width: number): string[] {
  const [first = "", ...others] = text.split(" ");
  return wrap([`  ${first}`, ...others], width, { whole: true });
}

import type { DestinationReport } from "../../status/destination-report.ts";
import { MAX_COUNT } from "../../store/limits.ts";
import {
  shown,
  shownDuration,
  shownTime,
  wrapText,
} from "../../terminal/terminal-text.ts";

/** Formats a destination on one line, with its state and its deliveries on further lines. */
export function destinationText(
  report: DestinationReport,
  now: number,
  width: number,
): string {
  const { name, kind, place } = report;
  const where = [kind, place].flatMap((fact) =>
    fact === null ? [] : [shown(fact)],
  );
  const line = (text: string): string[] =>
    wrapText(text, width - 2).map((one) => `  ${one}`);
  return [
    [shown(name), ...where].join(" "),
    ...line(destinationState(report, now).text),
    ...line(deliveriesText(report, now)),
  ].join("\n");
}

/** Returns the state of a destination in a few words, and whether it blocks deliveries. */
export function destinationState(
  report: DestinationReport,
  now: number,
): { readonly text: string; readonly isBlocked: boolean } {
  const { isConfigured, paused, breaker, inFlight, rateLimitedUntil } = report;
  if (!isConfigured) {
    return blocked("not configured");
  }
  if (paused !== null) {
    const { pausedAt, pausedBy, pausedUntil } = paused;
    const time =
      pausedUntil === null
        ? ` ${shownDuration(now - pausedAt)} ago`
        : `, ${shownDuration(pausedUntil - now)} left`;
    return blocked(`paused by ${shown(pausedBy)}${time}`);
  }
  switch (breaker?.state) {
    case "open":
    case "half-open": {
      const { state, probeAt } = breaker;
      if (state === "half-open" && inFlight === 0) {
        return blocked("breaker half-open, no due delivery");
      }
      const probe =
        probeAt === null || probeAt <= now
          ? "probing"
          : `probe in ${shownDuration(probeAt - now)}`;
      return blocked(`breaker ${state}, ${probe}`);
    }
    case "closed":
      return {
        text:
          rateLimitedUntil !== null && rateLimitedUntil > now
            ? "rate limit reached"
            : "ok",
        isBlocked: false,
      };
    case "unknown":
    case undefined:
      return { text: "unknown", isBlocked: false };
  }
}

/** Returns who paused a destination and until when; null = it is not paused. */
export function pauseText({ paused }: DestinationReport): string | null {
  if (paused === null) {
    return null;
  }
  const { pausedAt, pausedBy, pausedUntil } = paused;
  const time =
    pausedUntil === null
      ? `since ${shownTime(pausedAt)}`
      : `until ${shownTime(pausedUntil)}`;
  return `paused by ${shown(pausedBy)} ${time}`;
}

/** Formats a number of exhausted deliveries. The store stops counting at a limit. */
export function countText(count: number): string {
  return `${count}${count >= MAX_COUNT ? "+" : ""}`;
}

function blocked(text: string) {
  return { text, isBlocked: true };
}

function deliveriesText(report: DestinationReport, now: number): string {
  const { pending, oldestPendingSince, exhausted, inFlight } = report;
  const oldest =
    oldestPendingSince === null
      ? ""
      : `, the oldest for ${shownDuration(now - oldestPendingSince)}`;
  return `${pending} pending${oldest}; ${countText(exhausted)} exhausted; ${inFlight ?? "unknown number"} in flight`;
}

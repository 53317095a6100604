import { lookup } from "node:dns";
import type { AttemptResult } from "../../domain/delivery.ts";
import type { NewEvent } from "../../domain/event.ts";
import { withAttemptTimeout } from "../../delivery/attempt-timeout.ts";
import { createHttpDestination } from "../../delivery/http/http-destination.ts";
import { VERSION } from "../../version.ts";
import { SYSTEM } from "../system.ts";

/** Maximum number of attempts in flight. Further events are not forwarded, so that a slow application cannot fill the memory. */
const MAX_IN_FLIGHT = 32;

export interface Forwarder {
  /** Makes one attempt, in the format of every destination. Returns one line about its result. */
  readonly forward: (event: NewEvent) => Promise<{ ok: boolean; text: string }>;
  /** Ends the attempts in flight. */
  readonly close: () => void;
}

/** Creates the forwarder of `listen`. `secret`: signs the attempts; null = unsigned. */
export function createForwarder(options: {
  url: string;
  secret: string | null;
  timeoutMs: number;
}): Forwarder {
  const { url, secret, timeoutMs } = options;
  const destination = createHttpDestination(
    { ...SYSTEM, lookup, userAgent: `Hexhook/${VERSION}` },
    {
      name: "forward",
      url,
      secret,
      sources: [],
      events: ["*"],
      orderBy: null,
      concurrency: MAX_IN_FLIGHT,
      allowPrivate: true,
    },
  );
  const cutOff = new AbortController();
  let inFlight = 0;
  let count = 0;

  return {
    async forward(event) {
      if (inFlight >= MAX_IN_FLIGHT) {
        const text = `not forwarded: ${inFlight} attempts are in flight`;
        return { ok: false, text };
      }
      inFlight += 1;
      count += 1;
      const delivery = {
        id: count,
        destination: destination.name,
        attempt: 1,
        scheduledAttempt: 1,
        crashes: 0,
        startedAt: SYSTEM.now(),
        event: { ...event, seq: count },
      };
      const startedAt = SYSTEM.monotonic();
      try {
        const result = await withAttemptTimeout(
          (signal) => destination.attempt(delivery, signal, null),
          { timeoutMs, cutOff: cutOff.signal },
        );
        const ms = Math.round(SYSTEM.monotonic() - startedAt);
        return { ok: result.ok, text: textOf(result, destination.place, ms) };
      } finally {
        inFlight -= 1;
      }
    },
    close() {
      cutOff.abort();
      destination.close();
    },
  };
}

function textOf(result: AttemptResult, place: string, ms: number): string {
  if (result.ok) {
    return `forwarded to ${place}: ${result.status ?? ""} (${ms} ms)`;
  }
  const { reason, status, detail } = result;
  const why = [reason, status, detail].filter((one) => one !== undefined);
  return `not forwarded to ${place}: ${why.join(" ")} (${ms} ms)`;
}

import type {
  Handler,
  HandlerEvent,
  HandlerLogger,
  HexApi,
} from "../../domain/handler.ts";
import type {
  AttemptSettings,
  Destination,
  Route,
} from "../../domain/destination.ts";
import type { AttemptResult } from "../../domain/delivery.ts";
import type { StoredEvent } from "../../domain/event.ts";
import { decodeJson } from "../../json/decode.ts";
import type { Emit } from "../../telemetry/happening.ts";

export interface HandlerDestinationOptions extends Route, AttemptSettings {
  readonly handler: Handler;
  readonly concurrency: number;
}

/** A destination in this process: one function of the handlers module. */
export function createHandlerDestination(
  deps: {
    logger: (bindings: object) => HandlerLogger;
    emit: Emit;
    /** The Hex API as it is configured at the moment. */
    hex: () => HexApi;
  },
  options: HandlerDestinationOptions,
): Destination {
  const { handler, ...route } = options;
  return {
    ...route,
    kind: "handler",
    place: "this process",
    async attempt({ event, attempt }, signal): Promise<AttemptResult> {
      const facts = {
        source: event.source,
        eventId: event.id,
        eventType: event.type,
        destination: options.name,
        attempt,
      };
      const logger = deps.logger(facts);
      try {
        const hex = deps.hex();
        await handler(handlerEvent(event), { signal, attempt, logger, hex });
        return { ok: true };
      } catch (error) {
        deps.emit({ type: "handler.failed", ...facts, error });
        // The message may repeat the payload, so it stays on the operational log and out of the audit trail.
        return { ok: false, reason: "handler_threw" };
      }
    },
  };
}

function handlerEvent(event: StoredEvent): HandlerEvent {
  const { id, type, source, receivedAt, headers, body } = event;
  let payload: Record<string, unknown> | undefined;
  return {
    id,
    type,
    source,
    receivedAt: new Date(receivedAt),
    headers: JSON.parse(headers) as Record<string, string>,
    rawBody: body,
    // Only for a handler that reads it: parsed, a body may take 40 times its size.
    get payload() {
      payload ??= JSON.parse(decodeJson(body)) as Record<string, unknown>;
      return payload;
    },
  };
}

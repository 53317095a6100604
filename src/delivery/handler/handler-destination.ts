import type { Handler, HandlerEvent, HexApi } from "../../domain/handler.ts";
import type {
  AttemptSettings,
  Destination,
  Route,
} from "../../domain/destination.ts";
import { type AttemptResult, attemptFacts } from "../../domain/delivery.ts";
import type { StoredEvent } from "../../domain/event.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { describeError } from "../../telemetry/loggable.ts";
import { payloadOf } from "./payload.ts";
import type { HandlerCalls, LateError } from "./handler-calls.ts";
import { createHandlerLogger, type LogWriter } from "./handler-logger.ts";

export interface HandlerDestinationOptions extends Route, AttemptSettings {
  readonly handler: Handler;
  readonly concurrency: number;
}

/** Creates a destination in this process, which calls one function of the handlers module. */
export function createHandlerDestination(
  deps: {
    log: LogWriter;
    emit: Emit;
    calls: HandlerCalls;
    /** Returns the Hex API with the current configuration. */
    hex: () => HexApi;
  },
  options: HandlerDestinationOptions,
): Destination {
  const { handler, ...route } = options;
  return {
    ...route,
    kind: "handler",
    place: "this process",
    async attempt(delivery, signal): Promise<AttemptResult> {
      const { event, attempt } = delivery;
      const facts = attemptFacts(delivery);
      const call = deps.calls.begin(facts);
      const controller = new AbortController();
      // Run in the call's context, so that errors of the handler's abort listeners are attributed to it.
      const abort = (): void => {
        call.run(() => {
          controller.abort();
        });
      };
      signal.addEventListener("abort", abort, { once: true });
      const fail = (thrown: unknown, kind?: LateError["kind"]) => {
        const error = describeError(thrown);
        deps.emit({
          type: "handler.failed",
          ...facts,
          ...(kind !== undefined && { kind }),
          error,
        });
        abort();
        // The message may contain the payload, so it is logged but never written to the audit trail.
        return { ok: false, reason: "handler_threw", error } as const;
      };
      try {
        const context = {
          signal: controller.signal,
          attempt,
          logger: createHandlerLogger(deps.log, facts),
          hex: deps.hex(),
        };
        const returned = call.run(async () => {
          await handler(handlerEvent(event), context);
          return null;
        });
        const lateError = await Promise.race([returned, call.lateError]);
        return lateError === null
          ? { ok: true }
          : fail(lateError.thrown, lateError.kind);
      } catch (error) {
        return fail(error);
      } finally {
        call.end();
      }
    },
  };
}

function handlerEvent(event: StoredEvent): HandlerEvent {
  const { id, type, source, receivedAt, headers, body } = event;
  let payload: HandlerEvent["payload"] | undefined;
  return {
    id,
    type,
    source,
    receivedAt: new Date(receivedAt),
    headers: JSON.parse(headers) as Record<string, string>,
    rawBody: body,
    // Parsed on first use only, because a parsed body may take 40 times its size.
    get payload() {
      payload ??= payloadOf(event);
      return payload;
    },
  };
}

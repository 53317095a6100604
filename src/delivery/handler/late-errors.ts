import { StoreError } from "../../errors.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { describeError } from "../../telemetry/loggable.ts";
import type { HandlerCalls, LateError } from "./handler-calls.ts";
import { stackOrigin } from "./stack-origin.ts";

/**
 * Judges errors that no code catches. True when it is a handler's: it has failed the attempt that is in flight, or is reported
 * with the attempts that may have caused it, and the process goes on. False when it may be an error of this program, whose
 * state is then unknown. Never throws, whatever was thrown.
 */
export function createLateErrors(deps: {
  calls: HandlerCalls;
  emit: Emit;
}): (error: LateError) => boolean {
  const { calls, emit } = deps;
  return (error) => {
    const { thrown, kind } = error;
    if (isFatal(thrown)) {
      return false;
    }
    const context = calls.current();
    if (context?.fail(error) === true) {
      return true;
    }
    const suspects =
      context === null
        ? calls.suspects()
        : context.facts === null
          ? []
          : [context.facts];
    if (context === null && !mayBeOfHandler(thrown, suspects.length)) {
      return false;
    }
    emit({
      type: "handler.late_error",
      kind,
      isCertain: context !== null,
      attempts: suspects,
      error: describeError(thrown),
    });
    return true;
  };

  /** Without an asynchronous context, as of a microtask on Node 20 and 22, the stack decides; without one, what has run lately. */
  function mayBeOfHandler(thrown: unknown, suspects: number): boolean {
    const origin = stackOrigin(thrown);
    return origin === "handler"
      ? calls.hasRun()
      : origin === "unknown" && suspects > 0;
  }
}

function isFatal(thrown: unknown): boolean {
  try {
    return thrown instanceof StoreError && thrown.fatal;
  } catch {
    return false;
  }
}

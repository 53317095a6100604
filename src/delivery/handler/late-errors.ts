import { StoreError } from "../../errors.ts";
import type { Emit } from "../../telemetry/happening.ts";
import { describeError } from "../../telemetry/loggable.ts";
import type { HandlerCalls, LateError } from "./handler-calls.ts";
import { stackOrigin } from "./stack-origin.ts";

/**
 * Returns a function that judges errors that no code caught. It never throws. For an error of a handler, it fails the
 * attempt in flight, or reports the error with the attempts that may have caused it. Then it returns true, and the process
 * continues. For a possible error of this program it returns false, because the state of the program is then unknown.
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

  /**
   * Judges an error without an asynchronous context, such as one in a microtask on Node 20 and 22. The stack decides. If it
   * shows nothing, the error counts as a handler's if an attempt ran recently.
   */
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

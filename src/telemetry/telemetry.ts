import type { Emit, Happening } from "./happening.ts";

/** Returns a function that passes each happening to all subscribers in order. Errors of subscribers are ignored. */
export function createTelemetry(
  subscribers: readonly ((happening: Happening) => void)[],
): Emit {
  return (happening) => {
    for (const subscriber of subscribers) {
      try {
        subscriber(happening);
      } catch {
        // A broken subscriber must not change what the service does.
      }
    }
  };
}

/** Returns an error handler that reports failed background work. */
export function reportsFailures(emit: Emit): (error: unknown) => void {
  return (error) => {
    emit({ type: "work.failed", error });
  };
}

import type { Emit, Happening } from "./happening.ts";

/** Passes each happening to all subscribers, in order. An error of a subscriber stays with it. */
export function createTelemetry(
  subscribers: readonly ((happening: Happening) => void)[],
): Emit {
  return (happening) => {
    for (const subscriber of subscribers) {
      try {
        subscriber(happening);
      } catch {
        // Observing must not change what is observed.
      }
    }
  };
}

/** An error handler that reports failed background work. */
export function reportsFailures(emit: Emit): (error: unknown) => void {
  return (error) => {
    emit({ type: "work.failed", error });
  };
}

import type { Control } from "../../store/port.ts";
import type { SinkName } from "./sink.ts";
import { SEEN_EVERY_MS } from "./sink-progress.ts";

/** A sink of another process whose position was not saved for this time (milliseconds) counts as no longer configured. */
const FORGET_AFTER_MS = 24 * SEEN_EVERY_MS;

/**
 * Returns the position up to which all sinks of all processes have accepted the trail. stdout does not count, because it may
 * drop entries. `own`: the sinks of this process. `now`: unix milliseconds.
 */
export async function takenPosition(
  store: Pick<Control, "savedSinks">,
  own: readonly SinkName[],
  now: number,
): Promise<number> {
  const sinks = await store.savedSinks();
  const positions = sinks
    .filter(({ name }) => name !== "stdout")
    .filter(
      ({ name, savedAt }) =>
        now - savedAt < FORGET_AFTER_MS || own.some((sink) => sink === name),
    )
    .map(({ position }) => position);
  return Math.min(Number.MAX_SAFE_INTEGER, ...positions);
}

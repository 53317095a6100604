import type { Control } from "../../store/port.ts";
import type { SinkName } from "./sink.ts";
import { SEEN_EVERY_MS } from "./sink-progress.ts";

/** A sink of another process that was not noted for this time is no longer configured, in milliseconds. */
const FORGET_AFTER_MS = 24 * SEEN_EVERY_MS;

/**
 * The position up to which every sink has taken the trail, whichever process feeds it. stdout does not count: it may
 * drop. `own`: the sinks of this process. `now` is in unix milliseconds.
 */
export async function takenPosition(
  store: Pick<Control, "notedSinks">,
  own: readonly SinkName[],
  now: number,
): Promise<number> {
  const sinks = await store.notedSinks();
  const positions = sinks
    .filter(({ name }) => name !== "stdout")
    .filter(
      ({ name, savedAt }) =>
        now - savedAt < FORGET_AFTER_MS || own.some((sink) => sink === name),
    )
    .map(({ position }) => position);
  return Math.min(Number.MAX_SAFE_INTEGER, ...positions);
}

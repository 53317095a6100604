import { pauseChanged } from "../audit/destination-entries.ts";
import type { Control } from "../store/port.ts";

/**
 * Pauses or resumes a destination for an operator. Writes an audit entry if that changes anything, and returns whether it does.
 * A pause with an end differs from an operator's pause, so an operator's pause replaces it.
 */
export async function setPaused(
  store: Pick<Control, "pausedDestinations" | "setPaused">,
  change: {
    readonly destination: string;
    readonly operator: string;
    readonly paused: boolean;
    /** Unix milliseconds. */
    readonly at: number;
  },
): Promise<boolean> {
  const { destination, operator, paused, at } = change;
  const rows = await store.pausedDestinations();
  const row = rows.find(({ name }) => name === destination);
  const isUnchanged = paused ? row?.pausedUntil === null : row === undefined;
  if (!isUnchanged) {
    await store.setPaused(
      destination,
      paused ? { at, by: operator } : null,
      pauseChanged(change),
    );
  }
  return !isUnchanged;
}

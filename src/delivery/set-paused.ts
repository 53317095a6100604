import { pauseChanged } from "../audit/destination-entries.ts";
import type { Control } from "../store/port.ts";

/** Pauses or resumes a destination for an operator. Writes an audit entry if that changes anything, and returns whether it does. */
export function setPaused(
  store: Pick<Control, "setPaused">,
  change: {
    readonly destination: string;
    readonly operator: string;
    readonly paused: boolean;
    /** Unix milliseconds. */
    readonly at: number;
  },
): Promise<boolean> {
  const { destination, operator, paused, at } = change;
  return store.setPaused(
    destination,
    paused ? { at, by: operator } : null,
    pauseChanged(change),
  );
}

import type { Settlement } from "../store/records.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { DeliveryQueue } from "../store/port.ts";
import { StoreError } from "../errors.ts";

const RETRY_MS = 250;

/**
 * Writes the outcome of an attempt. After a temporary error of the store, such as a full disk, it retries until `giveUp`
 * aborts, because a lost outcome would cause another attempt. `onError` is called only for the first of these errors.
 * Rejects after any other error. Returns false if the lease was lost.
 */
export async function settleWithRetry(
  deps: {
    settle: DeliveryQueue["settle"];
    onError: (error: unknown) => void;
  },
  settlement: Settlement,
  giveUp: AbortSignal,
): Promise<boolean> {
  let isReported = false;
  for (;;) {
    try {
      return await deps.settle(settlement);
    } catch (error) {
      if (!isTemporary(error) || giveUp.aborted) {
        throw error;
      }
      if (!isReported) {
        isReported = true;
        deps.onError(error);
      }
    }
    // If `giveUp` aborts during the delay, there is one last try.
    await delay(RETRY_MS, undefined, { signal: giveUp }).catch(() => undefined);
  }
}

function isTemporary(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    !error.fatal &&
    error.code !== "STORE_PROGRAM_FAULT"
  );
}

import type { Settlement } from "../store/records.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { DeliveryQueue } from "../store/port.ts";
import { StoreError } from "../errors.ts";

const RETRY_MS = 250;

/**
 * Writes the outcome of an attempt, again and again while the store has a fault that passes (a full disk), until
 * `giveUp` aborts: an outcome that is not written would mean another attempt. Rejects when the fault does not pass; false when
 * the lease was lost.
 */
export async function settleWithRetry(
  deps: {
    settle: DeliveryQueue["settle"];
    onError: (error: unknown) => void;
  },
  settlement: Settlement,
  giveUp: AbortSignal,
): Promise<boolean> {
  let told = false;
  for (;;) {
    try {
      return await deps.settle(settlement);
    } catch (error) {
      if (!passes(error) || giveUp.aborted) {
        throw error;
      }
      if (!told) {
        told = true;
        deps.onError(error);
      }
    }
    // Aborted or over: either way the store is asked once more.
    await delay(RETRY_MS, undefined, { signal: giveUp }).catch(() => undefined);
  }
}

function passes(error: unknown): boolean {
  return (
    error instanceof StoreError &&
    !error.fatal &&
    error.code !== "STORE_PROGRAM_FAULT"
  );
}

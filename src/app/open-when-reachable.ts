import { setTimeout as delay } from "node:timers/promises";
import type { Store } from "../store/port.ts";
import { isUnavailable } from "../store/unavailable.ts";
import type { Emit } from "../telemetry/happening.ts";

/** How long a start waits for a database server, and the time between two tries, in milliseconds. */
const WAIT_MS = 10_000;
const RETRY_MS = 500;

/**
 * Opens the store. While its server cannot be reached, tries again for 10 s, because service and server often start
 * together. Then it rejects with the last error, so that the process ends and is started again.
 */
export async function openWhenReachable(
  open: () => Promise<Store>,
  deps: {
    /** Milliseconds of a monotonic clock. */
    readonly monotonic: () => number;
    readonly emit: Emit;
    /** Aborted when the service must stop. */
    readonly stopRequest: AbortSignal | undefined;
  },
): Promise<Store> {
  const { monotonic, emit, stopRequest } = deps;
  const deadline = monotonic() + WAIT_MS;
  for (let tries = 1; ; tries += 1) {
    try {
      return await open();
    } catch (error) {
      if (
        !isUnavailable(error) ||
        monotonic() + RETRY_MS > deadline ||
        stopRequest?.aborted === true
      ) {
        throw error;
      }
      if (tries === 1) {
        emit({ type: "store.unreachable", error });
      }
    }
    await delay(RETRY_MS);
  }
}

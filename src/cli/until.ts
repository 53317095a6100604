import { setTimeout as delay } from "node:timers/promises";

/** Polls until `condition` holds. Returns false if it does not hold within `timeoutMs`. */
export async function until(
  condition: () => Promise<boolean>,
  timeoutMs = 10_000,
): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (performance.now() < deadline) {
    if (await condition()) {
      return true;
    }
    await delay(20);
  }
  return false;
}

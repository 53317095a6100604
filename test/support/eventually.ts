import { setTimeout as delay } from "node:timers/promises";

/** Waits until `condition` returns a truthy value, and returns that value. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  timeoutMs = 60_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`the condition never held: ${condition.toString()}`);
    }
    await delay(10);
  }
}

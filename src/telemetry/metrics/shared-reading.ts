import { setTimeout as delay } from "node:timers/promises";

/** A value is reused for this multiple of the time that the reading took, so that readings take at most 1 % of the time. */
const REUSE_FACTOR = 100;

/** A value is never reused for longer than this, in milliseconds. */
const MAX_REUSE_MS = 10_000;

/**
 * Returns a function that shares the readings of concurrent calls, and reuses their results for a time that depends on how
 * long they took. It returns null if the reading fails or takes longer than `timeoutMs`. Then the reading continues, and
 * later calls wait for it.
 */
export function createSharedReading<T>(
  read: () => Promise<T>,
  deps: {
    readonly timeoutMs: number;
    /** Milliseconds of a monotonic clock. */
    readonly monotonic: () => number;
    readonly onError: (error: unknown) => void;
  },
): () => Promise<T | null> {
  const { timeoutMs, monotonic, onError } = deps;
  let pending: Promise<T | null> | null = null;
  let latest: { readonly value: T | null; readonly until: number } | null =
    null;

  async function start(): Promise<T | null> {
    const startedAt = monotonic();
    const value = await read().catch((error: unknown) => {
      onError(error);
      return null;
    });
    const endedAt = monotonic();
    const reuseMs = REUSE_FACTOR * (endedAt - startedAt);
    latest = { value, until: endedAt + Math.min(reuseMs, MAX_REUSE_MS) };
    pending = null;
    return value;
  }

  return async () => {
    if (latest !== null && monotonic() < latest.until) {
      return latest.value;
    }
    pending ??= start();
    const ending = new AbortController();
    const { signal } = ending;
    const timeout = delay(timeoutMs, null, { ref: false, signal }).catch(
      () => null,
    );
    try {
      return await Promise.race([pending, timeout]);
    } finally {
      ending.abort();
    }
  };
}

import { type Store } from "../core/store.ts";

const EVERY_MS = 1000;
/** Rows that share one transaction; more would hold up accepts. */
const BATCH = 500;
/** A clock that steps back must not find a window open again: claims are kept for the longest window more. */
const MARGIN_SECONDS = 900;

/** Drops replay claims whose window has passed, every second, in small batches. `stop()` awaits the last one. */
export function startForgettingReplays(
  deps: {
    store: Pick<Store, "forgetReplays">;
    now: () => number;
    onFault: (error: unknown) => void;
  },
  options: { replayWindowSeconds: number },
): { stop: () => Promise<void> } {
  const keepSeconds = options.replayWindowSeconds + MARGIN_SECONDS;
  let stopping = false;
  let running: Promise<void> | null = null;

  async function forget(): Promise<void> {
    const before = Math.floor(deps.now() / 1000) - keepSeconds;
    let dropped: number;
    do {
      dropped = await deps.store.forgetReplays(before, BATCH);
    } while (dropped === BATCH && !isStopping());
  }

  /** Set by stop() in the meantime, which control flow analysis does not see. */
  function isStopping(): boolean {
    return stopping;
  }

  const timer = setInterval(() => {
    running ??= forget()
      .catch(deps.onFault)
      .finally(() => {
        running = null;
      });
  }, EVERY_MS);

  return {
    async stop() {
      stopping = true;
      clearInterval(timer);
      await running;
    },
  };
}

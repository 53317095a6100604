import type { BackgroundService } from "./background-service.ts";

/**
 * Does work at startup and then every `everyMs` milliseconds. A run that is due while another is in progress is skipped. `stop()`
 * aborts the signal of the work, and waits for a run in progress.
 */
export function createInterval(
  work: (stopping: AbortSignal) => Promise<void>,
  options: { everyMs: number; onError: (error: unknown) => void },
): Required<BackgroundService> {
  const stopping = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | null = null;

  function run(): void {
    running ??= work(stopping.signal)
      .catch(options.onError)
      .finally(() => {
        running = null;
      });
  }

  return {
    start() {
      timer = setInterval(run, options.everyMs);
      run();
    },
    async stop() {
      stopping.abort();
      clearInterval(timer);
      await running;
    },
  };
}

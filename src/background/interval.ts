/**
 * Does some work at once and then every so often, never twice at a time. `stop()` aborts the signal that the work is given
 * and awaits the work under way.
 */
export function startPeriodic(
  work: (stopping: AbortSignal) => Promise<void>,
  options: { everyMs: number; onFault: (error: unknown) => void },
): { stop: () => Promise<void> } {
  const stopping = new AbortController();
  let running: Promise<void> | null = null;

  function run(): void {
    running ??= work(stopping.signal)
      .catch(options.onFault)
      .finally(() => {
        running = null;
      });
  }

  const timer = setInterval(run, options.everyMs);
  run();

  return {
    async stop() {
      stopping.abort();
      clearInterval(timer);
      await running;
    },
  };
}

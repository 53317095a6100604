import { setTimeout as delay } from "node:timers/promises";

const POLL_MS = 50;

/**
 * Calls a health check of services until it is stopped. `stop` returns the statuses that were not 200; null = no response.
 */
export function watchHealth(
  target: "/livez" | "/readyz",
  ports: readonly number[],
) {
  const bad: (number | null)[] = [];
  const current = { isOver: false, checks: 0 };
  const watches = ports.map(async (port) => {
    while (!current.isOver) {
      const status = await fetch(`http://127.0.0.1:${port}${target}`).then(
        async (response) => {
          await response.arrayBuffer();
          return response.status;
        },
        () => null,
      );
      current.checks += 1;
      if (status !== 200) {
        bad.push(status);
      }
      await delay(POLL_MS);
    }
  });
  return {
    /** The number of checks so far. */
    checks: () => current.checks,
    stop: async (): Promise<readonly (number | null)[]> => {
      current.isOver = true;
      await Promise.all(watches);
      return bad;
    },
  };
}

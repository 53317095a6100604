import type { Output } from "../io.ts";

const WIDTH = 30;
const REDRAW_MS = 100;

/**
 * A progress bar on stderr, on a terminal alone, for what takes longer than a moment; drawn ten times a second at most. Where the total is not known (null)
 * it counts.
 */
export function createProgressBar(
  stream: Output,
  total: number | null,
  options: { unit?: string } = {},
): { advance: (count?: number) => void; done: () => void } {
  const { unit = "" } = options;
  let count = 0;
  let drawnAt = performance.now();
  let drawn = false;
  const draw = (): void => {
    const label = `${count}${total === null ? "" : `/${total}`} ${unit}`;
    if (total === null) {
      stream.write(`\r${label.trimEnd()}`);
      return;
    }
    const filled =
      total === 0
        ? WIDTH
        : Math.min(WIDTH, Math.floor((count / total) * WIDTH));
    const bar = "#".repeat(filled).padEnd(WIDTH, ".");
    stream.write(`\r[${bar}] ${label.trimEnd()}`);
  };
  return {
    advance(by = 1) {
      count += by;
      const now = performance.now();
      if (stream.isTTY && now - drawnAt >= REDRAW_MS) {
        drawnAt = now;
        drawn = true;
        draw();
      }
    },
    done() {
      if (drawn) {
        draw();
        stream.write("\n");
      }
    },
  };
}

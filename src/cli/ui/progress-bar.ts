import { displayOf } from "../../terminal/display.ts";
import type { Io } from "../io.ts";

const WIDTH = 30;
const REDRAW_MS = 100;

/**
 * Creates a progress bar on stderr. It appears only on a terminal, after a tenth of a second, and is drawn at most ten times
 * a second. If `total` is null (unknown), it shows the count alone.
 */
export function createProgressBar(
  { stderr, env }: Pick<Io, "stderr" | "env">,
  total: number | null,
  options: { unit?: string } = {},
): { advance: (count?: number) => void; done: () => void } {
  const { unit = "" } = options;
  const { redraws } = displayOf(stderr, env);
  let count = 0;
  let drawnAt = performance.now();
  let drawn = false;
  const draw = (): void => {
    const label = `${count}${total === null ? "" : `/${total}`} ${unit}`;
    if (total === null) {
      stderr.write(`\r${label.trimEnd()}`);
      return;
    }
    const filled =
      total === 0
        ? WIDTH
        : Math.min(WIDTH, Math.floor((count / total) * WIDTH));
    const bar = "#".repeat(filled).padEnd(WIDTH, ".");
    stderr.write(`\r[${bar}] ${label.trimEnd()}`);
  };
  return {
    advance(by = 1) {
      count += by;
      const now = performance.now();
      if (redraws && now - drawnAt >= REDRAW_MS) {
        drawnAt = now;
        drawn = true;
        draw();
      }
    },
    done() {
      if (drawn) {
        draw();
        stderr.write("\n");
      }
    },
  };
}

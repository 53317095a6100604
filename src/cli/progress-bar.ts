const WIDTH = 30;
const REDRAW_MS = 100;

/** A progress bar on stderr: on a terminal alone, and drawn ten times a second at most. */
export function createProgressBar(
  total: number,
  stream: NodeJS.WriteStream = process.stderr,
): { advance(count?: number): void; done(): void } {
  let count = 0;
  let drawnAt = 0;
  const draw = (): void => {
    const filled = Math.floor((count / total) * WIDTH);
    const bar = "#".repeat(filled).padEnd(WIDTH, ".");
    stream.write(`\r[${bar}] ${count}/${total}`);
  };
  return {
    advance(by = 1) {
      count += by;
      const now = performance.now();
      if (stream.isTTY && now - drawnAt >= REDRAW_MS) {
        drawnAt = now;
        draw();
      }
    },
    done() {
      if (stream.isTTY) {
        draw();
        stream.write("\n");
      }
    },
  };
}

import { closeSync } from "node:fs";
import { isatty } from "node:tty";

const STANDARD_STREAMS = [0, 1, 2];

/**
 * Keeps the exit code of a process whose terminal has hung up. Node 20 restores the settings of its terminals at the exit,
 * and aborts when one is gone. It leaves out a stream that is closed.
 */
export function closeLostTerminalsAtExit(): void {
  const terminals = STANDARD_STREAMS.filter((fd) => isatty(fd));
  process.on("exit", () => {
    for (const fd of terminals) {
      if (!isatty(fd)) {
        closeSync(fd);
      }
    }
  });
}

import type { Writable } from "node:stream";
import { type LevelWithSilent, type Logger, pino } from "pino";
import { escapeJson } from "../json/ascii.ts";

/** Lines that stderr has not taken yet are dropped beyond this, so that a stuck reader cannot fill the memory. */
const MAX_QUEUED_BYTES = 1_048_576;

/** How long the last lines may take when the process ends, in milliseconds. The default stop of 9 s and this fit into 10 s. */
const FLUSH_MS = 500;

/**
 * The operational log: pino's JSON lines on stderr. stdout belongs to the audit trail. The stream of the process and
 * not pino's own: that one writes synchronously at `fatal` and at the exit, where a stuck reader would hang the process.
 */
export function createLogger(level: LevelWithSilent, stderr: Writable): Logger {
  // A reader that is gone is no reason to end, and there is nowhere left to say so.
  stderr.on("error", () => undefined);
  const stream = {
    write(line: string): void {
      if (stderr.writableLength <= MAX_QUEUED_BYTES) {
        // Ids come from outside: nothing in them that a terminal would act on.
        stderr.write(escapeJson(line));
      }
    },
    /** Calls back when stderr has taken everything, or will not. */
    flush(done: () => void): void {
      const late = setTimeout(done, FLUSH_MS);
      stderr.write("", () => {
        clearTimeout(late);
        done();
      });
    },
  };
  const timestamp = pino.stdTimeFunctions.isoTime;
  const formatters = { level: (label: string) => ({ level: label }) };
  return pino({ level, base: null, timestamp, formatters }, stream);
}

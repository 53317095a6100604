import type { Writable } from "node:stream";
import { type LevelWithSilent, type Logger, pino } from "pino";
import { escapeJson } from "../json/ascii.ts";
import { type Display, PLAIN_DISPLAY } from "../terminal/display.ts";
import { boundedFields, boundedMessage } from "./loggable.ts";
import { prettyLine } from "./pretty-line.ts";

/** Maximum size of the lines that wait for stderr. Further lines are dropped, so that a stuck reader cannot fill the memory. */
const MAX_QUEUED_BYTES = 1_048_576;

/**
 * How long the process waits for the last lines when it ends, in milliseconds. With the default shutdown time of 9 s, the
 * process ends within 10 s.
 */
const FLUSH_MS = 500;

export interface LogStyle {
  readonly format: "pretty" | "json";
  /** The display that stderr writes to. */
  readonly display: Display;
}

const JSON_STYLE: LogStyle = { format: "json", display: PLAIN_DISPLAY };

/**
 * Creates the operational log on stderr: pino's JSON lines, or the same lines formatted for a person. A line has at most 16
 * KiB. stdout is only for the audit trail. The lines are written to the stream of the process. pino's own stream writes
 * synchronously at level `fatal` and at the exit, so a stuck reader would block the process.
 */
export function createLogger(
  level: LevelWithSilent,
  stderr: Writable,
  { format, display } = JSON_STYLE,
): Logger {
  // The process continues after the reader has closed stderr. That cannot be logged anywhere.
  stderr.on("error", () => undefined);
  let dropped = 0;
  const stream = {
    write(line: string): void {
      if (stderr.writableLength > MAX_QUEUED_BYTES) {
        dropped += 1;
        return;
      }
      if (dropped > 0) {
        const lines = dropped;
        dropped = 0;
        logger.error({ lines }, "log lines dropped: stderr was not read");
      }
      // Ids come from senders. Both formats escape the characters that could control a terminal.
      stderr.write(
        format === "pretty" ? prettyLine(line, display) : escapeJson(line),
      );
    },
    /** Calls `done` when stderr has accepted all lines, or after `FLUSH_MS`. */
    flush(done: () => void): void {
      const timer = setTimeout(done, FLUSH_MS);
      stderr.write("", () => {
        clearTimeout(timer);
        done();
      });
    },
  };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: {
        level: (label: string) => ({ level: label }),
        log: ({ fields }) => fields as Record<string, unknown>,
      },
      // Errors are already descriptions here.
      serializers: { err: (described: unknown) => described },
      hooks: {
        // The fields are passed inside another object, because pino replaces an object that looks like a request.
        logMethod([logged, message], write) {
          const fields = boundedFields(logged);
          const text = message ?? messageOf(fields["err"]);
          write.call(this, { fields }, text && boundedMessage(text));
        },
      },
    },
    stream,
  );
  return logger;
}

/** Returns the message of an error, for a line that has no message. */
function messageOf(error: unknown): string | undefined {
  const { message } = Object(error) as { message?: unknown };
  return typeof message === "string" ? message : undefined;
}

import type { Writable } from "node:stream";
import { STDOUT_PREFIX } from "../entry.ts";
import { errorCode } from "../../errors.ts";
import type { Display } from "../../terminal/display.ts";
import { visible } from "../../terminal/terminal-text.ts";
import { formatEntry } from "../format-entry.ts";
import { parseEntry } from "../parsed-entry.ts";
import { type AuditSink, SinkError } from "./sink.ts";

/** `prefixed` and `json` are for programs, `pretty` is for people. */
export type StdoutFormat = "prefixed" | "json" | "pretty";

/** Writes each entry to stdout. If the reader closes stdout, the sink ends and the process continues. */
export function createStdoutSink(
  stdout: Writable,
  options: { format: StdoutFormat; display: Display },
): AuditSink {
  const show = lineFormat(options);
  let endError: SinkError | null = null;

  function end(error: unknown): SinkError {
    endError ??= new SinkError(errorCode(error) ?? "gone", { kind: "final" });
    return endError;
  }

  stdout.on("error", end);

  return {
    name: "stdout",
    maxRows: 500,
    maxBytes: 1_048_576,
    lingerMs: 0,
    shared: false,
    exact: false,
    write: (rows) =>
      new Promise((resolve, reject) => {
        if (endError !== null) {
          reject(endError);
          return;
        }
        const text = rows.map(({ line }) => `${show(line)}\n`).join("");
        // The stream calls back after the text is written, so a stuck reader delays this sink only.
        stdout.write(text, (error) => {
          if (error) {
            reject(end(error));
          } else {
            resolve();
          }
        });
      }),
  };
}

function lineFormat(options: {
  format: StdoutFormat;
  display: Display;
}): (line: string) => string {
  const { format, display } = options;
  switch (format) {
    case "prefixed":
      return (line) => `${STDOUT_PREFIX}${line}`;
    case "json":
      return (line) => line;
    case "pretty":
      return (line) => {
        const entry = parseEntry(line);
        const { colours } = display;
        return entry === null
          ? visible(line)
          : formatEntry(entry, { colours, width: display.width() });
      };
  }
}

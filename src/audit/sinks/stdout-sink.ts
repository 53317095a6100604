import type { Writable } from "node:stream";
import { STDOUT_PREFIX } from "../entry.ts";
import { errorCode } from "../../errors.ts";
import { type AuditSink, SinkError } from "./sink.ts";

/** The format of entries on stdout; `off` = no entries are written. */
export type StdoutFormat = "prefixed" | "json" | "off";

/** Writes each entry to stdout as a line. When the reader is gone, the sink ends and the process continues. */
export function createStdoutSink(
  stdout: Writable,
  options: { format: Exclude<StdoutFormat, "off"> },
): AuditSink {
  const prefix = options.format === "prefixed" ? STDOUT_PREFIX : "";
  let gone: SinkError | null = null;

  function end(error: unknown): SinkError {
    gone ??= new SinkError(errorCode(error) ?? "gone", { kind: "final" });
    return gone;
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
        if (gone !== null) {
          reject(gone);
          return;
        }
        const text = rows.map(({ line }) => `${prefix}${line}\n`).join("");
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

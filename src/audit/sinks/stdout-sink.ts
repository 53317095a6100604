import type { Writable } from "node:stream";
import { STDOUT_PREFIX } from "../entry.ts";
import { errorCode } from "../../errors.ts";
import { type AuditSink, SinkFault } from "./sink.ts";

/** How an entry looks on stdout; `off` writes none. */
export type StdoutFormat = "prefixed" | "json" | "off";

/** Entries on stdout, a line each. A reader that is gone ends the sink and not the process. */
export function createStdoutSink(
  stdout: Writable,
  options: { format: Exclude<StdoutFormat, "off"> },
): AuditSink {
  const prefix = options.format === "prefixed" ? STDOUT_PREFIX : "";
  let gone: SinkFault | null = null;

  function end(error: unknown): SinkFault {
    gone ??= new SinkFault(errorCode(error) ?? "gone", { kind: "final" });
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
        // Called back when the stream has handed it on: a reader that is stuck is waited for.
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

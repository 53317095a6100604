import { writeFileSync } from "node:fs";
import path from "node:path";
import { eventually } from "./eventually.ts";
import { eventBody, signed } from "./fixtures.ts";
import { serve } from "./processes.ts";
import { temporaryFolder } from "./temporary-folder.ts";

/** A line of the operational log. */
export type LogLine = Readonly<Record<string, unknown>> & {
  readonly msg: string;
  readonly level: string;
};

export type ServedHandlers = Awaited<ReturnType<typeof serveHandlers>>;

/** Starts a service in a separate process with this handlers module. Returns it with what it logs. */
export async function serveHandlers(
  source: string,
  env: Record<string, string> = {},
  file = "handlers.mjs",
) {
  const folder = temporaryFolder().path;
  writeFileSync(path.join(folder, file), source);
  const serving = await serve(folder, {
    HANDLERS: file,
    RETRY_SCHEDULE: "1h",
    ...env,
  });
  const lines = (): LogLine[] =>
    serving
      .stderr()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as LogLine);
  return {
    ...serving,
    folder,
    lines,
    /** Posts an event and returns the status of the response. */
    send: async (id: string, type = "resource.created"): Promise<number> => {
      const body = eventBody(id, type);
      return (await serving.post(body, signed(body))).status;
    },
    /** Waits for a line with this message, and with this event id if given. */
    line: (message: string, eventId?: string): Promise<LogLine> =>
      eventually(() =>
        lines().find(
          (line) =>
            line.msg === message &&
            (eventId === undefined || line["eventId"] === eventId),
        ),
      ),
  };
}

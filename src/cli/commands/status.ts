import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { asciiJson } from "../../json/ascii.ts";
import { statusJson } from "../../status/status-json.ts";
import type { StatusReport } from "../../status/status-report.ts";
import { displayOf } from "../../terminal/display.ts";
import type { Io } from "../io.ts";
import { onSignal } from "../on-signal.ts";
import { withReader } from "../store/reader.ts";
import { readServiceStatus } from "../store/service-status.ts";
import { print } from "../ui/print.ts";
import { createScreen } from "../ui/screen.ts";
import { statusText } from "../ui/status-text.ts";

interface Options {
  readonly follow?: true;
  readonly json?: true;
}

/** How often --follow reads the status, in milliseconds. Services publish theirs as often. */
const FOLLOW_EVERY_MS = 2000;

export function addStatus(program: Command, io: Io): void {
  program
    .command("status")
    .description(
      "show the processes, deliveries, destinations, sources and sinks of the service",
    )
    .option("-f, --follow", "refresh every two seconds, until Ctrl-C")
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
The status comes from the store, so the command works with or without a running
service. What only a process knows, such as its circuit breakers, it publishes
every two seconds; after 10 seconds this is shown as unknown.
Exit status: 0, whatever the status is; 70 if the store cannot be read.`,
    )
    .action(async (options: Options) => {
      await withReader(io, async (store) => {
        const read = () => readServiceStatus(io, store);
        await (options.follow
          ? follow(io, read, options)
          : show(io, await read(), options));
      });
    });
}

async function show(
  io: Io,
  status: StatusReport,
  { json }: Options,
): Promise<void> {
  await print(
    io.stdout,
    json ? asciiJson(statusJson(status)) : linesOf(io, status).join("\n"),
  );
}

function linesOf(io: Io, status: StatusReport): string[] {
  const { colours, width } = displayOf(io.stdout, io.env);
  return statusText(status, { colours, width: width() });
}

/** Shows the status again and again until a signal ends it: in place on a terminal, else one block after another. */
async function follow(
  io: Io,
  read: () => Promise<StatusReport>,
  options: Options,
): Promise<void> {
  const ending = new AbortController();
  // A process that SIGHUP or SIGQUIT ends would leave the terminal on the other screen, without a cursor.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT"] as const) {
    onSignal(io.signals, signal, () => {
      ending.abort();
    });
  }
  const isInPlace = displayOf(io.stdout, io.env).redraws && !options.json;
  const screen = isInPlace ? createScreen(io.stdout) : null;
  let last: StatusReport | null = null;
  try {
    while (!ending.signal.aborted) {
      last = await read();
      if (screen !== null) {
        screen.draw(linesOf(io, last));
      } else {
        await show(io, last, options);
        if (!options.json) {
          await print(io.stdout, "");
        }
      }
      await delay(FOLLOW_EVERY_MS, undefined, { signal: ending.signal }).catch(
        () => undefined,
      );
    }
  } finally {
    screen?.close();
  }
  // The other screen of the terminal is gone with its content.
  if (screen !== null && last !== null) {
    await show(io, last, options);
  }
}

import type { Command } from "commander";
import { nearestName } from "../../config/nearest-name.ts";
import { setPaused } from "../../delivery/set-paused.ts";
import { UsageError } from "../../errors.ts";
import { unknownDestination } from "../../events/known-destination.ts";
import { asciiJson } from "../../json/ascii.ts";
import type { DestinationReport } from "../../status/destination-report.ts";
import { destinationJson } from "../../status/status-json.ts";
import { displayOf } from "../../terminal/display.ts";
import { shown } from "../../terminal/terminal-text.ts";
import type { Io } from "../io.ts";
import { defaultOperator, operatorOption } from "../options/operator.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { withReader } from "../store/reader.ts";
import { readServiceStatus } from "../store/service-status.ts";
import {
  destinationState,
  destinationText,
  pauseText,
} from "../ui/destination-text.ts";
import { note, print } from "../ui/print.ts";

interface Options {
  readonly json?: true;
}

interface ChangeOptions extends Options {
  readonly as?: string;
}

export function addDestinations(program: Command, io: Io): void {
  const destinations = program
    .command("destinations")
    .description("destinations: list, pause, resume");
  destinations
    .command("list")
    .description("list the destinations with their state and deliveries")
    .option("--json", "print one JSON object a line")
    .action((options: Options) => list(io, options));
  addChange(destinations, io, {
    name: "pause",
    description: "start no attempts to a destination until it is resumed",
    help: "Attempts in flight end normally, and events are still accepted and stored.",
  });
  addChange(destinations, io, {
    name: "resume",
    description: "start attempts to a paused destination again",
    help: "This also closes the circuit breaker of a paused destination.",
  });
}

function addChange(
  destinations: Command,
  io: Io,
  change: {
    readonly name: "pause" | "resume";
    readonly description: string;
    readonly help: string;
  },
): void {
  destinations
    .command(change.name)
    .description(change.description)
    .argument("<name>", "the name of the destination")
    .addOption(operatorOption())
    .option("--json", "print the destination as one JSON object")
    .addHelpText(
      "after",
      `
${change.help}
A running service follows within a few seconds; without one, the change applies
when the service starts.
Exit status: 0 done, or it was so before; 64 there is no such destination.`,
    )
    .action((name: string, options: ChangeOptions) =>
      changePause(io, name, change.name === "pause", options),
    );
}

async function list(io: Io, { json }: Options): Promise<void> {
  await withReader(io, async (store) => {
    const { destinations, at } = await readServiceStatus(io, store);
    for (const one of destinations) {
      const { width } = displayOf(io.stdout, io.env);
      await print(
        io.stdout,
        json
          ? asciiJson(destinationJson(one))
          : destinationText(one, at, width()),
      );
    }
    if (destinations.length === 0 && !json) {
      note(io, "no destinations are configured or known to the store");
    }
  });
}

async function changePause(
  io: Io,
  name: string,
  paused: boolean,
  options: ChangeOptions,
): Promise<void> {
  const before = await requireDestination(io, name);
  const isPaused = before.report.paused?.pausedUntil === null;
  const isNeeded = paused ? !isPaused : before.report.paused !== null;
  const operator = options.as ?? defaultOperator();
  const isChanged =
    isNeeded &&
    (await withOperatorStore(
      io,
      {
        command: `destinations ${paused ? "pause" : "resume"}`,
        operator,
      },
      (store) =>
        setPaused(store, {
          destination: name,
          operator,
          paused,
          at: store.clock(),
        }),
    ));
  // Another operator may have made the same change in the meantime.
  const { report, at } = isNeeded ? await readAgain(io, name, before) : before;
  if (options.json) {
    await print(
      io.stdout,
      asciiJson({ ...destinationJson(report), changed: isChanged }),
    );
  } else {
    const text = !isChanged
      ? unchangedText(report, at)
      : paused
        ? "is paused: no attempt starts until it is resumed"
        : "is resumed";
    await print(io.stdout, `${shown(name)} ${text}`);
  }
}

interface Read {
  readonly report: DestinationReport;
  readonly at: number;
}

/** Returns a destination that is configured, has deliveries or is paused. Throws UsageError for any other name. */
async function requireDestination(io: Io, name: string): Promise<Read> {
  const { found, destinations, at } = await readDestinations(io, name);
  if (found === undefined) {
    throw new UsageError(unknownName(name, destinations));
  }
  return { report: found, at };
}

/** Returns a destination after a change. One that was only known for its pause is no longer known after it. */
async function readAgain(io: Io, name: string, before: Read): Promise<Read> {
  const { found, at } = await readDestinations(io, name);
  return { report: found ?? { ...before.report, paused: null }, at };
}

function readDestinations(io: Io, name: string) {
  return withReader(io, async (store) => {
    const { destinations, at } = await readServiceStatus(io, store);
    const found = destinations.find((one) => one.name === name);
    return { found, destinations, at };
  });
}

function unknownName(
  name: string,
  destinations: readonly DestinationReport[],
): string {
  const nearest = nearestName(
    name,
    destinations.map((one) => one.name),
  );
  const configured = destinations
    .filter(({ isConfigured }) => isConfigured)
    .map((one) => one.name);
  const hint = nearest === null ? "" : `; did you mean ${nearest}?`;
  return unknownDestination(name, configured) + hint;
}

function unchangedText(report: DestinationReport, at: number): string {
  const pause = pauseText(report);
  if (pause !== null) {
    return `is already ${pause}`;
  }
  const { text, isBlocked } = destinationState(report, at);
  return isBlocked ? `is not paused; ${text}` : "is not paused";
}

import { asciiJson } from "../../json/ascii.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { createEventFilter } from "../../events/event-filter.ts";
import {
  isUnderWay,
  redeliver,
  redeliverables,
  type Redeliverable,
  redeliverablesOf,
} from "../../events/redelivery.ts";
import type { EventReader } from "../../store/port.ts";
import { EXIT, UsageError } from "../../errors.ts";
import {
  addFilterOptions,
  type FilterOptions,
} from "../options/filter-options.ts";
import { operatorOption, thisUser } from "../options/operator.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { withReader } from "../store/reader.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { type Io, writeLine } from "../io.ts";

interface Options extends FilterOptions {
  readonly all?: true;
  readonly dryRun?: true;
  readonly as?: string;
  readonly json?: true;
}

/** Between batches the service has the store to itself for a moment. */
const REST_MS = 20;

export function addEventsRedeliver(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("redeliver")
      .description(
        "bring events to their destinations again, on a new schedule",
      )
      .argument("[ids...]", "events by id, or by SOURCE/ID")
      .option(
        "--all",
        "all that fit the filters; exhausted ones unless --state says otherwise",
      ),
  )
    .option("--dry-run", "say what would be redelivered, and change nothing")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
With ids, all deliveries of those events are meant, succeeded ones too; --state and
--destination narrow that down. A delivery that is being attempted, or that waits
for another of its key, is left alone. Works while the service runs, which takes
them up within a second.
Exit status: 0 done, 1 an id is not there.`,
    )
    .action(async (ids: string[], options: Options) => {
      const choose = chooser(io, ids, options);
      const matched = await withReader(io, (store) =>
        preview(io, store, choose, options),
      );
      if (matched === null) {
        io.setExitCode(EXIT.checkFailed);
      } else if (!options.dryRun && matched > 0) {
        await redeliverAll(io, choose, matched, options);
      } else if (!options.json) {
        writeLine(
          io.stdout,
          options.dryRun
            ? `${counted(matched)} meant; nothing was changed`
            : "nothing to redeliver",
        );
      } else if (!options.dryRun) {
        writeLine(
          io.stdout,
          JSON.stringify({ matched: 0, redelivered: 0, underWay: 0 }),
        );
      }
    });
}

/** Gives the deliveries that are meant; null when an id is not there. */
type Choose = (
  store: EventReader,
) => Promise<Iterable<Redeliverable> | AsyncIterable<Redeliverable> | null>;

function chooser(io: Io, ids: readonly string[], options: Options): Choose {
  const filter = createEventFilter(options);
  if (options.all) {
    if (ids.length > 0) {
      throw new UsageError("give ids or --all, not both");
    }
    const state = filter.state ?? "exhausted";
    return async (store) => redeliverablesOf(store, { ...filter, state });
  }
  if (ids.length === 0) {
    throw new UsageError(
      "say which: ids, or --all with filters; add --dry-run to see what they mean",
    );
  }
  if ((options.source ?? options.type ?? options.since) !== undefined) {
    throw new UsageError(
      "--source, --type and --since go with --all; ids go with --state and --destination",
    );
  }
  return async (store) => {
    const events = await lookUpEvents(io, store, ids);
    return events?.flatMap((event) => redeliverables(event, filter)) ?? null;
  };
}

/** Counts what is meant, and shows it when nothing else is wanted. Null when an id is not there. */
async function preview(
  io: Io,
  store: EventReader,
  choose: Choose,
  options: Options,
): Promise<number | null> {
  const meant = await choose(store);
  if (meant === null) {
    return null;
  }
  let matched = 0;
  for await (const one of meant) {
    const { event, delivery } = one;
    matched += 1;
    if (options.dryRun) {
      const verb = isUnderWay(one) ? "would leave alone" : "would redeliver";
      const { id: eventId, source } = event;
      const { id: deliveryId, destination, state, attempt } = delivery;
      await print(
        io.stdout,
        options.json
          ? asciiJson({
              eventId,
              source,
              deliveryId,
              destination,
              state,
              attempt,
            })
          : `${verb} ${asciiJson(eventId)} to ${destination} (${state}, attempts: ${attempt})`,
      );
    }
  }
  return matched;
}

async function redeliverAll(
  io: Io,
  choose: Choose,
  matched: number,
  options: Options,
): Promise<void> {
  const operator = options.as ?? thisUser();
  const bar = createProgressBar(io.stderr, matched);
  const count = await withOperatorStore(
    io,
    { command: "events redeliver", operator },
    async (store) =>
      redeliver(store, (await choose(store)) ?? [], {
        operator,
        dryRun: false,
        now: Date.now,
        onBatch: async (batch) => {
          bar.advance(batch.length);
          await delay(REST_MS);
        },
      }),
  );
  bar.done();
  const left =
    count.underWay === 0
      ? ""
      : `; ${count.underWay} left alone: an attempt is under way, or another of the key goes first`;
  writeLine(
    io.stdout,
    options.json
      ? JSON.stringify(count)
      : `${counted(count.redelivered)} redelivered${left}`,
  );
}

const counted = (n: number): string =>
  `${n} ${n === 1 ? "delivery" : "deliveries"}`;

import { asciiJson } from "../../json/ascii.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { discard, discardables, discardablesOf } from "../../events/discard.ts";
import { createEventFilter } from "../../events/event-filter.ts";
import type { Redeliverable } from "../../events/redelivery.ts";
import type { EventReader } from "../../store/port.ts";
import { EXIT, UsageError } from "../../errors.ts";
import {
  type BulkOptions,
  deliveriesCounted,
  requireChoice,
} from "../options/bulk-options.ts";
import { addFilterOptions } from "../options/filter-options.ts";
import { operatorOption, thisUser } from "../options/operator.ts";
import {
  knownDestinations,
  requireDestination,
} from "../store/known-routes.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { withReader } from "../store/reader.ts";
import { print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { type Io, writeLine } from "../io.ts";

/** Between batches the service has the store to itself for a moment. */
const REST_MS = 20;

export function addEventsDiscard(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("discard")
      .description("stop attempting pending or exhausted deliveries")
      .argument("[ids...]", "events by id, or by SOURCE/ID")
      .option(
        "--all",
        "all that fit the filters; pending and exhausted ones unless --state says otherwise",
      ),
  )
    .option("--dry-run", "say what would be discarded, and change nothing")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
Succeeded deliveries stay as they are. One whose attempt is in flight is left alone:
run the command again once it has ended. The next delivery of the same key is due.
A discarded delivery can be redelivered by id. Works while the service runs.
Exit status: 0 done, 1 an id is not there, 64 an unknown destination.`,
    )
    .action(async (ids: string[], options: BulkOptions) => {
      const choose = chooser(io, ids, options);
      const matched = await withReader(io, async (store) => {
        const known = await knownDestinations(io, store);
        await requireDestination(store, options.destination, known);
        return preview(io, store, choose, options);
      });
      if (matched === null) {
        io.setExitCode(EXIT.checkFailed);
      } else if (!options.dryRun && matched > 0) {
        await discardAll(io, choose, matched, options);
      } else if (!options.json) {
        writeLine(
          io.stdout,
          options.dryRun
            ? `${deliveriesCounted(matched)} meant; nothing was changed`
            : "nothing to discard",
        );
      } else if (!options.dryRun) {
        const none = { matched: 0, discarded: 0, inFlight: 0 };
        writeLine(io.stdout, JSON.stringify(none));
      }
    });
}

/** Gives the deliveries that are meant; null when an id is not there. */
type Choose = (
  store: EventReader,
) => Promise<Iterable<Redeliverable> | AsyncIterable<Redeliverable> | null>;

function chooser(io: Io, ids: readonly string[], options: BulkOptions): Choose {
  requireChoice(ids, options);
  const filter = createEventFilter(options);
  const { state } = filter;
  if (state === "succeeded" || state === "discarded") {
    throw new UsageError(
      "only pending and exhausted deliveries can be discarded",
    );
  }
  if (options.unrouted) {
    throw new UsageError("unrouted events have no deliveries to discard");
  }
  if (options.all) {
    return async (store) => discardablesOf(store, filter);
  }
  return async (store) => {
    const events = await lookUpEvents(io, store, ids);
    return events?.flatMap((event) => discardables(event, filter)) ?? null;
  };
}

/** Counts what is meant, and shows it when nothing else is wanted. Null when an id is not there. */
async function preview(
  io: Io,
  store: EventReader,
  choose: Choose,
  options: BulkOptions,
): Promise<number | null> {
  const meant = await choose(store);
  if (meant === null) {
    return null;
  }
  let matched = 0;
  for await (const { event, delivery } of meant) {
    matched += 1;
    if (options.dryRun) {
      const { id: eventId, source } = event;
      const { id: deliveryId, destination, state, attempt } = delivery;
      const verb = delivery.underWay ? "would leave alone" : "would discard";
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

async function discardAll(
  io: Io,
  choose: Choose,
  matched: number,
  options: BulkOptions,
): Promise<void> {
  const operator = options.as ?? thisUser();
  const bar = createProgressBar(io.stderr, matched);
  const count = await withOperatorStore(
    io,
    { command: "events discard", operator },
    async (store) =>
      discard(store, (await choose(store)) ?? [], {
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
    count.inFlight === 0
      ? ""
      : `; ${count.inFlight} left alone: an attempt is in flight`;
  writeLine(
    io.stdout,
    options.json
      ? JSON.stringify(count)
      : `${deliveriesCounted(count.discarded)} discarded${left}`,
  );
}

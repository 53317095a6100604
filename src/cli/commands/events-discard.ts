import type { Command } from "commander";
import {
  discard,
  discardables,
  discardablesOf,
  DISCARDABLE_STATES,
  type DiscardCount,
  previewDiscard,
} from "../../events/discard.ts";
import { createEventFilter } from "../../events/event-filter.ts";
import type { Redeliverable } from "../../events/redelivery.ts";
import type { EventReader } from "../../store/port.ts";
import { EXIT } from "../../errors.ts";
import {
  type BulkOptions,
  deliveriesCounted,
  requireChoice,
} from "../options/bulk-options.ts";
import { addFilterOptions } from "../options/filter-options.ts";
import { operatorOption, defaultOperator } from "../options/operator.ts";
import {
  knownDestinations,
  requireDestination,
} from "../store/known-routes.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { restAfterBatch, withOperatorStore } from "../store/operator-store.ts";
import { withReader } from "../store/reader.ts";
import { deliveryPlanJson, deliveryPlanText } from "../ui/planned-delivery.ts";
import { print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { type Io, writeLine } from "../io.ts";

export function addEventsDiscard(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("discard")
      .description("stop attempting pending or exhausted deliveries")
      .argument("[ids...]", "event ids, or SOURCE/ID")
      .option(
        "--all",
        "all deliveries that match the filters; pending and exhausted ones unless --state is given",
      ),
    DISCARDABLE_STATES,
  )
    .option("--dry-run", "show what would be discarded, and change nothing")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
Succeeded deliveries stay as they are. A delivery whose attempt is in flight is
skipped: run the command again when the attempt has ended. The next delivery of
the same order key becomes due. A discarded delivery can be redelivered by id.
The command also works while the service runs.
Exit status: 0 done, 1 an id does not exist, 64 a destination is not configured.`,
    )
    .action(async (ids: string[], options: BulkOptions) => {
      const choose = chooser(io, ids, options);
      const count = await withReader(io, async (store) => {
        const known = await knownDestinations(io, store);
        await requireDestination(store, options.destination, known);
        return preview(io, store, choose, options);
      });
      if (count === null) {
        io.setExitCode(EXIT.checkFailed);
        return;
      }
      const isDone = !options.dryRun && count.matched > 0;
      const done = isDone
        ? await discardAll(io, choose, count.matched, options)
        : count;
      if (!options.json) {
        const show = options.dryRun ? previewText : countText;
        writeLine(
          io.stdout,
          count.matched === 0 ? "nothing to discard" : show(done),
        );
      } else if (!options.dryRun) {
        writeLine(io.stdout, JSON.stringify(done));
      }
    });
}

/** Returns the selected deliveries; null when an id does not exist. */
type Choose = (
  store: EventReader,
) => Promise<Iterable<Redeliverable> | AsyncIterable<Redeliverable> | null>;

function chooser(io: Io, ids: readonly string[], options: BulkOptions): Choose {
  requireChoice(ids, options);
  const filter = createEventFilter(options);
  if (options.all) {
    return async (store) => discardablesOf(store, filter);
  }
  return async (store) => {
    const events = await lookUpEvents(io, store, ids);
    return events?.flatMap((event) => discardables(event, filter)) ?? null;
  };
}

/** Counts the selected deliveries, and prints them in a dry run. Returns null when an id does not exist. */
async function preview(
  io: Io,
  store: EventReader,
  choose: Choose,
  options: BulkOptions,
): Promise<DiscardCount | null> {
  const chosen = await choose(store);
  if (chosen === null) {
    return null;
  }
  return previewDiscard(chosen, async (delivery, outcome) => {
    if (options.dryRun) {
      const action = outcome === "discarded" ? "discard" : "leave";
      const plan = options.json ? deliveryPlanJson : deliveryPlanText;
      await print(io.stdout, plan(delivery, action));
    }
  });
}

function previewText({ matched, inFlight }: DiscardCount): string {
  const skipped = inFlight > 0 ? `, ${inFlight} skipped` : "";
  return `${matched - inFlight} would be discarded${skipped}; nothing was changed`;
}

function countText({ discarded, inFlight }: DiscardCount): string {
  const skipped =
    inFlight > 0 ? `; ${inFlight} skipped: an attempt is in flight` : "";
  return `${deliveriesCounted(discarded)} discarded${skipped}`;
}

async function discardAll(
  io: Io,
  choose: Choose,
  total: number,
  options: BulkOptions,
): Promise<DiscardCount> {
  const operator = options.as ?? defaultOperator();
  const bar = createProgressBar(io, total);
  const count = await withOperatorStore(
    io,
    { command: "events discard", operator },
    async (store) =>
      discard(store, (await choose(store)) ?? [], {
        operator,
        now: store.clock,
        onBatch: async (batch) => {
          bar.advance(batch.length);
          await restAfterBatch();
        },
      }),
  );
  bar.done();
  return count;
}

import type { Command } from "commander";
import {
  createEventFilter,
  DELIVERY_STATES,
} from "../../events/event-filter.ts";
import { eventDetailJson, withBody } from "../../events/event-json.ts";
import { countEvents, exportEntry, exportEvents } from "../../events/export.ts";
import { asciiJson } from "../../json/ascii.ts";
import type { Io } from "../io.ts";
import {
  addFilterOptions,
  type FilterOptions,
  unroutedOption,
} from "../options/filter-options.ts";
import { defaultOperator, operatorOption } from "../options/operator.ts";
import { parseCount } from "../options/parse.ts";
import { auditRead } from "../store/audited-read.ts";
import {
  knownDestinations,
  requireDestination,
} from "../store/known-routes.ts";
import { readWaits } from "../store/read-waits.ts";
import { withReader } from "../store/reader.ts";
import { note, print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";

interface Options extends FilterOptions {
  readonly limit?: number;
  readonly as?: string;
  readonly json?: true;
}

export function addEventsExport(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("export")
      .description(
        "print events with their bodies, oldest first, one JSON object a line",
      ),
    DELIVERY_STATES,
  )
    .addOption(unroutedOption())
    .option(
      "--limit <n>",
      "maximum number of events (default: all)",
      parseCount,
    )
    .addOption(operatorOption())
    .option("--json", "has no effect: the output is always JSON")
    .addHelpText(
      "after",
      `
Each line has the members of 'events show --json', and the body in base64. The
command first counts the events, and writes an audit entry, event.read, with
your name, the filters and the number. It exports no more events than that.`,
    )
    .action(async (options: Options) => {
      const filter = createEventFilter(options);
      const count = await withReader(io, async (store) => {
        const known = await knownDestinations(io, store);
        await requireDestination(store, options.destination, known);
        return countEvents(store, filter, options.limit ?? Infinity);
      });
      if (count === 0) {
        note(io, "no event matches");
        return;
      }
      const operator = options.as ?? defaultOperator();
      await auditRead(io, { command: "events export", operator }, (at) =>
        exportEntry(filter, count, { operator, at }),
      );
      await withReader(io, async (store) => {
        const known = await knownDestinations(io, store);
        const waits = await readWaits(store, known?.names ?? null);
        const bar = createProgressBar(io, count);
        for await (const { event, body } of exportEvents(
          store,
          filter,
          count,
        )) {
          const line = withBody(eventDetailJson(event, waits), body);
          await print(io.stdout, asciiJson(line));
          bar.advance();
        }
        bar.done();
      });
    });
}

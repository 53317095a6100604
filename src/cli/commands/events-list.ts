import { asciiJson } from "../../json/ascii.ts";
import type { Command } from "commander";
import {
  createEventFilter,
  DELIVERY_STATES,
} from "../../events/event-filter.ts";
import { eventJson } from "../../events/event-json.ts";
import { paginateEvents } from "../../events/paginate.ts";
import {
  addFilterOptions,
  type FilterOptions,
  unroutedOption,
} from "../options/filter-options.ts";
import { eventText } from "../ui/event-text.ts";
import { parseCount } from "../options/parse.ts";
import { note, print } from "../ui/print.ts";
import { withReader } from "../store/reader.ts";
import {
  knownDestinations,
  requireDestination,
} from "../store/known-routes.ts";
import { readWaits } from "../store/read-waits.ts";
import { displayOf } from "../../terminal/display.ts";
import type { Io } from "../io.ts";

const DEFAULT_LIMIT = 50;

interface Options extends FilterOptions {
  readonly limit: number;
  readonly json?: true;
}

export function addEventsList(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("list")
      .description(
        "list events, newest first, with their deliveries and why these wait",
      ),
    DELIVERY_STATES,
  )
    .addOption(unroutedOption())
    .option(
      "--limit <n>",
      "maximum number of events",
      parseCount,
      DEFAULT_LIMIT,
    )
    .option("--json", "print one JSON object a line")
    .action(async (options: Options) => {
      await withReader(io, async (store) => {
        const scan = {
          filter: createEventFilter(options),
          order: "newest",
          from: null,
        } as const;
        const known = await knownDestinations(io, store);
        await requireDestination(store, options.destination, known);
        const waits = await readWaits(store, known?.names ?? null);
        let shown = 0;
        for await (const event of paginateEvents(store, scan)) {
          await print(
            io.stdout,
            options.json
              ? asciiJson(eventJson(event, waits))
              : eventText(event, waits, displayOf(io.stdout, io.env).width()),
          );
          shown += 1;
          if (shown === options.limit) {
            break;
          }
        }
        if (shown === 0 && !options.json) {
          note(io, "no event matches");
        }
      });
    });
}

import type { Command } from "commander";
import { asciiJson } from "../core/audit-entry.ts";
import { createEventFilter } from "../core/event-filter.ts";
import { eventJson } from "../core/event-json.ts";
import { eventsOf } from "../core/walk-events.ts";
import { addFilterOptions, type FilterOptions } from "./filter-options.ts";
import { eventText } from "./event-text.ts";
import { parseCount } from "./parse.ts";
import { print } from "./print.ts";
import { withReader } from "./reader.ts";

const DEFAULT_LIMIT = 50;

interface Options extends FilterOptions {
  readonly limit: number;
  readonly json?: true;
}

export function addEventsList(events: Command): void {
  addFilterOptions(
    events
      .command("list")
      .description("events with their deliveries, newest first"),
  )
    .option("--limit <n>", "show so many", parseCount, DEFAULT_LIMIT)
    .option("--json", "print one JSON object a line")
    .action(async (options: Options) => {
      await withReader(async (store) => {
        const scan = {
          filter: createEventFilter(options),
          order: "newest",
          from: null,
        } as const;
        let shown = 0;
        for await (const event of eventsOf(store, scan)) {
          await print(
            options.json ? asciiJson(eventJson(event)) : eventText(event),
          );
          shown += 1;
          if (shown === options.limit) {
            break;
          }
        }
        if (shown === 0 && !options.json) {
          console.error("no event fits");
        }
      });
    });
}

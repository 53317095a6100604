import type { Command } from "commander";
import { asciiJson } from "../core/audit-entry.ts";
import { eventDetailJson } from "../core/event-json.ts";
import { EXIT } from "../errors.ts";
import { eventDetailText } from "./event-text.ts";
import { lookUpEvents } from "./look-up-events.ts";
import { print } from "./print.ts";
import { withReader } from "./reader.ts";

export function addEventsShow(events: Command): void {
  events
    .command("show")
    .description("one event with its deliveries and every attempt")
    .argument(
      "<id>",
      "the event's id, or SOURCE/ID where two sources share one",
    )
    .option("--json", "print one JSON object")
    .action(async (id: string, options: { json?: true }) => {
      await withReader(async (store) => {
        const [event] = (await lookUpEvents(store, [id])) ?? [];
        if (event === undefined) {
          process.exitCode = EXIT.checkFailed;
          return;
        }
        await print(
          options.json
            ? asciiJson(eventDetailJson(event))
            : eventDetailText(event),
        );
      });
    });
}

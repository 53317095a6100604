import { asciiJson } from "../../json/ascii.ts";
import type { Command } from "commander";
import { eventDetailJson } from "../../events/event-json.ts";
import { EXIT } from "../../errors.ts";
import { eventDetailText } from "../ui/event-text.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { print } from "../ui/print.ts";
import { withReader } from "../store/reader.ts";

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

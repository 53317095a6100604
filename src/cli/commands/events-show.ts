import { asciiJson } from "../../json/ascii.ts";
import type { Command } from "commander";
import { eventDetailJson } from "../../events/event-json.ts";
import { EXIT } from "../../errors.ts";
import { eventDetailText } from "../ui/event-text.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { print } from "../ui/print.ts";
import { withReader } from "../store/reader.ts";
import { knownDestinations } from "../store/known-routes.ts";
import { readWaits } from "../store/read-waits.ts";
import { displayOf } from "../../terminal/display.ts";
import type { Io } from "../io.ts";

export function addEventsShow(events: Command, io: Io): void {
  events
    .command("show")
    .description("show an event with its deliveries and every attempt")
    .argument("<id>", "the event id; SOURCE/ID if two sources use the same id")
    .option("--json", "print one JSON object")
    .action(async (id: string, options: { json?: true }) => {
      await withReader(io, async (store) => {
        const [event] = (await lookUpEvents(io, store, [id])) ?? [];
        if (event === undefined) {
          io.setExitCode(EXIT.checkFailed);
          return;
        }
        const known = await knownDestinations(io, store);
        const waits = await readWaits(store, known?.names ?? null);
        await print(
          io.stdout,
          options.json
            ? asciiJson(eventDetailJson(event, waits))
            : eventDetailText(
                event,
                waits,
                displayOf(io.stdout, io.env).width(),
              ),
        );
      });
    });
}

import type { Command } from "commander";
import { bodyRead } from "../../audit/event-entries.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { eventDetailJson, withBody } from "../../events/event-json.ts";
import { asciiJson } from "../../json/ascii.ts";
import type { DeliveryStatus } from "../../domain/delivery.ts";
import type { EventDetail } from "../../domain/event-status.ts";
import type { Wait } from "../../events/waits.ts";
import type { StoreReader } from "../../store/port.ts";
import { displayOf } from "../../terminal/display.ts";
import type { Io } from "../io.ts";
import { defaultOperator, operatorOption } from "../options/operator.ts";
import { auditRead } from "../store/audited-read.ts";
import { knownDestinations } from "../store/known-routes.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { readWaits } from "../store/read-waits.ts";
import { withReader } from "../store/reader.ts";
import { isBinary } from "../ui/binary.ts";
import { eventDetailText } from "../ui/event-text.ts";
import { note, print, printBytes } from "../ui/print.ts";

interface Options {
  readonly body?: true;
  readonly as?: string;
  readonly json?: true;
}

export function addEventsShow(events: Command, io: Io): void {
  events
    .command("show")
    .description("show an event with its deliveries and every attempt")
    .argument("<id>", "the event id; SOURCE/ID if two sources use the same id")
    .option("--body", "print the exact bytes of the body, and nothing else")
    .addOption(operatorOption())
    .option("--json", "print one JSON object; with --body, also the body")
    .addHelpText(
      "after",
      `
--body writes an audit entry with your name, event.read, before it prints. With
--json, the body is in base64.
Exit status: 0 done, 1 the id does not exist.`,
    )
    .action(async (id: string, options: Options) => {
      if (options.as !== undefined && !options.body) {
        throw new UsageError(
          "--as names you in the audit entry of --body: add --body, or leave out --as",
        );
      }
      const found = await withReader(io, (store) =>
        find(io, store, id, options),
      );
      if (found === null) {
        io.setExitCode(EXIT.checkFailed);
        return;
      }
      if (found.body !== null) {
        const operator = options.as ?? defaultOperator();
        await auditRead(io, { command: "events show", operator }, (at) =>
          bodyRead(found.event, operator, at),
        );
      }
      await show(io, found, options);
    });
}

interface Found {
  readonly event: EventDetail;
  readonly waits: (delivery: DeliveryStatus) => Wait | null;
  /** Null: not requested. */
  readonly body: Buffer | null;
}

/** Returns null when the event does not exist. */
async function find(
  io: Io,
  store: StoreReader,
  id: string,
  options: Options,
): Promise<Found | null> {
  const [event] = (await lookUpEvents(io, store, [id])) ?? [];
  if (event === undefined) {
    return null;
  }
  const known = await knownDestinations(io, store);
  const waits = await readWaits(store, known?.names ?? null);
  const body = options.body ? await store.readBody(event.seq) : null;
  if (options.body && body === null) {
    note(io, "the event was deleted by the retention just now");
    return null;
  }
  return { event, waits, body };
}

async function show(
  io: Io,
  { event, waits, body }: Found,
  { json }: Options,
): Promise<void> {
  if (json) {
    const detail = eventDetailJson(event, waits);
    const all = body === null ? detail : withBody(detail, body);
    await print(io.stdout, asciiJson(all));
  } else if (body === null) {
    const width = displayOf(io.stdout, io.env).width();
    await print(io.stdout, eventDetailText(event, waits, width));
  } else {
    if (io.stdout.isTTY && isBinary(body)) {
      note(
        io,
        "the body is binary, and may confuse the terminal: redirect the output to a file",
      );
    }
    await printBytes(io.stdout, body);
  }
}

import { asciiJson } from "../../json/ascii.ts";
import { setTimeout as delay } from "node:timers/promises";
import type { Command } from "commander";
import { createEventFilter } from "../../events/event-filter.ts";
import {
  goneDestinations,
  unknownDestination,
} from "../../events/known-destination.ts";
import {
  createFindMissing,
  type FindMissing,
} from "../../events/missing-deliveries.ts";
import {
  inOrder,
  isMissing,
  isUnderWay,
  NOTHING_REDELIVERED,
  type Planned,
  plannedFor,
  plannedForAll,
  redeliver,
  redeliverables,
  redeliveryJson,
} from "../../events/redelivery.ts";
import type { EventReader, StoreReader } from "../../store/port.ts";
import { EXIT, UsageError } from "../../errors.ts";
import {
  type BulkOptions,
  deliveriesCounted,
  requireChoice,
} from "../options/bulk-options.ts";
import { addFilterOptions } from "../options/filter-options.ts";
import { operatorOption, thisUser } from "../options/operator.ts";
import { knownDestinations, knownRoutes } from "../store/known-routes.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { withReader } from "../store/reader.ts";
import { withOperatorStore } from "../store/operator-store.ts";
import { type Io, writeLine } from "../io.ts";

interface Options extends BulkOptions {
  readonly route?: true;
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
    .option(
      "--route",
      "also create the deliveries that today's configuration asks for and that are missing",
    )
    .option("--dry-run", "say what would be redelivered, and change nothing")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
With ids, all deliveries of those events are meant, succeeded ones too; --state and
--destination narrow that down. A delivery that is being attempted, or that waits
for another of its key, is left alone. Discarded ones are redelivered by id alone.
With --route, events that fit --source, --type, --since, --destination and
--unrouted get the deliveries that they lack, whatever --state says.
Destinations are those of the configuration (HEXHOOK_CONFIG, HANDLERS, FORWARD_URL),
or, when none of these is set, those of the service that started last.
Works while the service runs, which takes them up within a second.
Exit status: 0 done, 1 an id is not there, 64 a destination is not configured.`,
    )
    .action(async (ids: string[], options: Options) => {
      requireRedeliveryOptions(ids, options);
      const plan = await withReader(io, async (store) => {
        const choice = await createChoice(io, store, ids, options);
        const matched = await preview(io, store, choice, options);
        return matched === null ? null : { ...choice, matched };
      });
      if (plan === null) {
        io.setExitCode(EXIT.checkFailed);
      } else if (!options.dryRun && total(plan.matched) > 0) {
        await redeliverAll(io, plan, options);
      } else if (!options.json) {
        writeLine(
          io.stdout,
          options.dryRun
            ? `${meant(plan.matched, options)}; nothing was changed`
            : "nothing to redeliver",
        );
      } else if (!options.dryRun) {
        const none = redeliveryJson(NOTHING_REDELIVERED, isRouting(options));
        writeLine(io.stdout, JSON.stringify(none));
      }
    });
}

function requireRedeliveryOptions(
  ids: readonly string[],
  options: Options,
): void {
  requireChoice(ids, options);
  if (options.unrouted && !options.route) {
    throw new UsageError(
      "unrouted events have no deliveries: add --route to create those that the configuration asks for",
    );
  }
  if (options.all && options.state === "discarded") {
    throw new UsageError("discarded deliveries are redelivered by id alone");
  }
}

const isRouting = ({ route }: Options): boolean => route === true;

interface Choice {
  /** Gives what is meant; null when an id is not there. */
  readonly choose: (
    store: EventReader,
  ) => Promise<AsyncIterable<Planned> | null>;
  /** Names of the destinations that are configured; null = unknown. */
  readonly destinations: readonly string[] | null;
}

/** Throws UsageError when a destination that is meant is not configured. */
async function createChoice(
  io: Io,
  reader: StoreReader,
  ids: readonly string[],
  options: Options,
): Promise<Choice> {
  const filter = createEventFilter(options);
  const { destination } = filter;
  let destinations: readonly string[] | null;
  let findMissing: FindMissing | null = null;
  if (options.route) {
    const routes = await knownRoutes(io, reader);
    destinations = routes.map(({ name }) => name);
    findMissing = createFindMissing(routes, destination);
  } else {
    destinations = await knownDestinations(io, reader);
  }
  if (destination !== null && destinations?.includes(destination) === false) {
    throw new UsageError(unknownDestination(destination, destinations));
  }
  if (options.all) {
    const state = filter.state ?? "exhausted";
    return {
      destinations,
      choose: async (store) =>
        plannedForAll(store, { ...filter, state }, findMissing),
    };
  }
  return {
    destinations,
    async choose(store) {
      const events = await lookUpEvents(io, store, ids);
      const gone = (events ?? [])
        .flatMap((event) => redeliverables(event, filter))
        .map(({ delivery }) => delivery.destination)
        .filter((name) => destinations?.includes(name) === false);
      if (gone.length > 0) {
        throw new UsageError(goneDestinations(gone, destinations ?? []));
      }
      return events === null
        ? null
        : plannedFor(store, inOrder(events), filter, findMissing);
    },
  };
}

/** How many deliveries are meant that exist, and how many are missing. */
interface Matched {
  readonly existing: number;
  readonly missing: number;
}

const total = ({ existing, missing }: Matched): number => existing + missing;

const meant = ({ existing, missing }: Matched, options: Options): string =>
  [
    `${deliveriesCounted(existing)} meant`,
    ...(options.route ? [`${deliveriesCounted(missing)} to create`] : []),
  ].join(", ");

/** Counts what is meant, and shows it when nothing else is wanted. Null when an id is not there. */
async function preview(
  io: Io,
  store: EventReader,
  { choose, destinations }: Choice,
  options: Options,
): Promise<Matched | null> {
  const planned = await choose(store);
  if (planned === null) {
    return null;
  }
  const matched = { existing: 0, missing: 0 };
  for await (const one of planned) {
    matched[isMissing(one) ? "missing" : "existing"] += 1;
    if (options.dryRun) {
      const show = options.json ? planJson : planText;
      await print(io.stdout, show(one, destinations));
    }
  }
  return matched;
}

function planJson(planned: Planned): string {
  const { id: eventId, source } = planned.event;
  if (isMissing(planned)) {
    const { destination } = planned.missing;
    return asciiJson({ eventId, source, destination, create: true });
  }
  const { id: deliveryId, destination, state, attempt } = planned.delivery;
  return asciiJson({
    eventId,
    source,
    deliveryId,
    destination,
    state,
    attempt,
  });
}

function planText(
  planned: Planned,
  destinations: readonly string[] | null,
): string {
  const id = asciiJson(planned.event.id);
  if (isMissing(planned)) {
    return `would create a delivery of ${id} to ${planned.missing.destination}`;
  }
  const { destination, state, attempt } = planned.delivery;
  const isLeftAlone =
    isUnderWay(planned) || destinations?.includes(destination) === false;
  const verb = isLeftAlone ? "would leave alone" : "would redeliver";
  return `${verb} ${id} to ${destination} (${state}, attempts: ${attempt})`;
}

async function redeliverAll(
  io: Io,
  { choose, destinations, matched }: Choice & { readonly matched: Matched },
  options: Options,
): Promise<void> {
  const operator = options.as ?? thisUser();
  const bar = createProgressBar(io.stderr, total(matched));
  const count = await withOperatorStore(
    io,
    { command: "events redeliver", operator },
    async (store) =>
      redeliver(store, (await choose(store)) ?? [], {
        operator,
        dryRun: false,
        now: Date.now,
        destinations,
        onBatch: async (batch) => {
          bar.advance(batch.length);
          await delay(REST_MS);
        },
      }),
  );
  bar.done();
  const { redelivered, created, underWay, gone } = count;
  const text = [
    `${deliveriesCounted(redelivered)} redelivered`,
    ...(options.route ? [`${created} created`] : []),
  ].join(", ");
  const left = [
    ...(underWay > 0
      ? [
          `${underWay} left alone: an attempt is in flight, or another of the key goes first`,
        ]
      : []),
    ...(gone > 0
      ? [`${gone} left alone: their destinations are not configured`]
      : []),
  ];
  writeLine(
    io.stdout,
    options.json
      ? JSON.stringify(redeliveryJson(count, isRouting(options)))
      : [text, ...left].join("; "),
  );
}

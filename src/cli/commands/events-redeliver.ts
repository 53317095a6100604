import type { Command } from "commander";
import {
  createEventFilter,
  DELIVERY_STATES,
} from "../../events/event-filter.ts";
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
  type Planned,
  plannedFor,
  plannedForAll,
  previewRedelivery,
  redeliver,
  redeliverables,
  type RedeliveryCount,
  redeliveryJson,
} from "../../events/redelivery.ts";
import type { EventReader, StoreReader } from "../../store/port.ts";
import type { EventFilter } from "../../store/records.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { type BulkOptions, requireChoice } from "../options/bulk-options.ts";
import { addFilterOptions, unroutedOption } from "../options/filter-options.ts";
import { operatorOption, defaultOperator } from "../options/operator.ts";
import { knownDestinations, knownRoutes } from "../store/known-routes.ts";
import { lookUpEvents } from "../store/look-up-events.ts";
import { note, print } from "../ui/print.ts";
import { createProgressBar } from "../ui/progress-bar.ts";
import { withReader } from "../store/reader.ts";
import { restAfterBatch, withOperatorStore } from "../store/operator-store.ts";
import { unservedWarning } from "../store/served-destinations.ts";
import {
  countText,
  nothingText,
  planJson,
  planText,
  previewText,
} from "../ui/redelivery-text.ts";
import { type Io, writeLine } from "../io.ts";

interface Options extends BulkOptions {
  readonly route?: true;
}

export function addEventsRedeliver(events: Command, io: Io): void {
  addFilterOptions(
    events
      .command("redeliver")
      .description("deliver events again, with a new retry schedule")
      .argument("[ids...]", "event ids, or SOURCE/ID")
      .option(
        "--all",
        "all deliveries that match the filters; exhausted ones unless --state is given",
      ),
    DELIVERY_STATES,
  )
    .addOption(unroutedOption())
    .option(
      "--route",
      "also create the missing deliveries that the current configuration requires",
    )
    .option("--dry-run", "show what would be redelivered, and change nothing")
    .addOption(operatorOption())
    .option("--json", "print one JSON object a line")
    .addHelpText(
      "after",
      `
With ids, all deliveries of those events are redelivered, also succeeded ones.
--state and --destination restrict this. A delivery is skipped while its attempt
is in flight, or while it waits for another delivery of its order key. Discarded
deliveries are redelivered by id only.
With --route, events that match --source, --type, --since, --until,
--destination and --unrouted get their missing deliveries. --state does not
restrict these.
The destinations are those of this command's configuration (HEXHOOK_CONFIG,
HANDLERS, FORWARD_URL). If none of these is set, they are those of the service
that started last. A running service finds the deliveries within a second.
Exit status: 0 done, 1 an id does not exist, 64 a destination is not configured.`,
    )
    .action(async (ids: string[], options: Options) => {
      requireRedeliveryOptions(ids, options);
      const plan = await withReader(io, async (store) => {
        const choice = await createChoice(io, store, ids, options);
        const previewed = await preview(io, store, choice, options);
        return (
          previewed && {
            choice,
            ...previewed,
            warning: await unservedWarning(store, previewed.destinations),
          }
        );
      });
      if (plan === null) {
        io.setExitCode(EXIT.checkFailed);
        return;
      }
      const { choice, count, nothing, warning } = plan;
      const total = count.matched + count.created;
      const isDone = !options.dryRun && total > 0;
      const done = isDone
        ? await redeliverAll(io, choice, total, options)
        : count;
      if (!options.json) {
        const show = options.dryRun ? previewText : countText;
        const text = total === 0 ? nothing : show(done, isRouting(options));
        writeLine(io.stdout, text);
      } else if (!options.dryRun) {
        const json = redeliveryJson(done, isRouting(options));
        writeLine(io.stdout, JSON.stringify(json));
      }
      if (warning !== null) {
        note(io, warning);
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
      "unrouted events have no deliveries: add --route to create them",
    );
  }
  if (options.all && options.state === "discarded") {
    throw new UsageError(
      "--all does not redeliver discarded deliveries: give the event ids",
    );
  }
}

const isRouting = ({ route }: Options): boolean => route === true;

interface Choice {
  /** Returns the selected deliveries; null when an id does not exist. */
  readonly choose: (
    store: EventReader,
    findMissing: FindMissing | null,
  ) => Promise<AsyncIterable<Planned> | null>;
  /** Null: missing deliveries are not created. */
  readonly findMissing: FindMissing | null;
  readonly filter: EventFilter;
  /** Names of the configured destinations; null: unknown. */
  readonly destinations: readonly string[] | null;
}

/** Throws UsageError when a selected destination is not configured. */
async function createChoice(
  io: Io,
  reader: StoreReader,
  ids: readonly string[],
  options: Options,
): Promise<Choice> {
  const wanted = createEventFilter(options);
  const filter = options.all
    ? { ...wanted, state: wanted.state ?? "exhausted" }
    : wanted;
  const { destination } = filter;
  const routes = options.route ? await knownRoutes(io, reader) : null;
  const known =
    routes === null
      ? await knownDestinations(io, reader)
      : { ...routes, names: routes.routes.map(({ name }) => name) };
  if (destination !== null && known?.names.includes(destination) === false) {
    throw new UsageError(
      unknownDestination(destination, known.names, known.origin),
    );
  }
  return {
    filter,
    destinations: known?.names ?? null,
    findMissing: routes && createFindMissing(routes.routes, destination),
    async choose(store, findMissing) {
      if (options.all) {
        return plannedForAll(store, filter, findMissing);
      }
      const events = await lookUpEvents(io, store, ids);
      if (events === null) {
        return null;
      }
      const gone = events
        .flatMap((event) => redeliverables(event, filter))
        .map(({ delivery }) => delivery.destination)
        .filter((name) => known?.names.includes(name) === false);
      if (known !== null && gone.length > 0) {
        throw new UsageError(goneDestinations(gone, known.names, known.origin));
      }
      return plannedFor(store, inOrder(events), filter, findMissing);
    },
  };
}

interface Preview {
  readonly count: RedeliveryCount;
  /** Text that says why there is nothing to redeliver. Used if no delivery is selected. */
  readonly nothing: string;
  /** Names of the destinations that get deliveries. */
  readonly destinations: ReadonlySet<string>;
}

/** Counts the selected deliveries, and prints them in a dry run. Returns null when an id does not exist. */
async function preview(
  io: Io,
  store: EventReader,
  { choose, findMissing, filter, destinations }: Choice,
  options: Options,
): Promise<Preview | null> {
  const routed = { events: 0, unmatched: 0 };
  const findAndCount: FindMissing | null =
    findMissing &&
    (async (reader, event) => {
      const missing = await findMissing(reader, event);
      const isUnmatched = event.deliveries.length + missing.length === 0;
      routed.events += 1;
      routed.unmatched += isUnmatched ? 1 : 0;
      return missing;
    });
  const planned = await choose(store, findAndCount);
  if (planned === null) {
    return null;
  }
  const receiving = new Set<string>();
  const count = await previewRedelivery(planned, {
    destinations,
    onEach: async (one, outcome) => {
      if (outcome === "redelivered" || outcome === "created") {
        const { destination } = isMissing(one) ? one.missing : one.delivery;
        receiving.add(destination);
      }
      if (options.dryRun) {
        const show = options.json ? planJson : planText;
        await print(io.stdout, show(one, outcome));
      }
    },
  });
  const nothing = nothingText({
    ...filter,
    routed: findMissing && { ...routed, destinations: destinations ?? [] },
  });
  return { count, nothing, destinations: receiving };
}

async function redeliverAll(
  io: Io,
  { choose, findMissing, destinations }: Choice,
  total: number,
  options: Options,
): Promise<RedeliveryCount> {
  const operator = options.as ?? defaultOperator();
  const bar = createProgressBar(io, total);
  const count = await withOperatorStore(
    io,
    { command: "events redeliver", operator },
    async (store) =>
      redeliver(store, (await choose(store, findMissing)) ?? [], {
        operator,
        now: store.clock,
        destinations,
        onBatch: async (batch) => {
          bar.advance(batch.length);
          await restAfterBatch();
        },
      }),
  );
  bar.done();
  return count;
}

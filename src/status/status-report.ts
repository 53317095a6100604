import type { ConditionReader, DestinationReader } from "../store/port.ts";
import type {
  ProcessStatus,
  PublishedDestination,
  PublishedService,
  PublishedSource,
  RecentRequests,
} from "../store/records.ts";
import { isCurrent } from "./current-processes.ts";
import {
  type DestinationReport,
  reportDestinations,
} from "./destination-report.ts";
import { reportSource, type SourceReport } from "./source-report.ts";

/** A process that publishes nothing any more is listed for this time, in milliseconds. */
const MISSING_LISTED_MS = 60_000;

export interface ProcessReport {
  readonly writer: string;
  readonly publishedAt: number;
  /** Null for a process of an older version. */
  readonly version: string | null;
  readonly startedAt: number | null;
  /** `unknown`: the process has published nothing for 10 s. */
  readonly readiness: PublishedService["readiness"] | "unknown";
}

export interface SinkReport {
  readonly name: string;
  /** The largest number of entries that the sink of a process has not accepted yet; null = unknown. */
  readonly lag: number | null;
  readonly degradedSince: number | null;
}

/** The state of the service and its store at one moment. Times are unix milliseconds. */
export interface StatusReport {
  readonly at: number;
  /** The processes that run or went missing a moment ago, newest state first; if there is none, the one that ran last. */
  readonly processes: readonly ProcessReport[];
  /** The requests of all processes; null = no process is known to be alive. */
  readonly lastMinute: RecentRequests | null;
  readonly pending: number;
  readonly oldestPendingSince: number | null;
  readonly exhausted: number;
  readonly destinations: readonly DestinationReport[];
  readonly sources: readonly SourceReport[];
  readonly sinks: readonly SinkReport[];
}

export type StatusStore = Pick<
  DestinationReader,
  | "countDeliveries"
  | "destinationGauges"
  | "pausedDestinations"
  | "processStatuses"
> &
  Pick<ConditionReader, "lastUses">;

/** The configuration of a command. Null members could not be read: the state that was published last counts instead. */
export interface Configured {
  readonly sources: readonly PublishedSource[] | null;
  readonly destinations: readonly string[] | null;
}

/** Reads the state of the service from its store, with or without a running service. */
export async function readStatus(
  store: StatusStore,
  context: {
    readonly now: number;
    /** The state of this process. It replaces the state that the process published last. */
    readonly own?: ProcessStatus;
    /** Called only if no process is known to be alive. */
    readonly readConfigured?: () => Promise<Configured>;
  },
): Promise<StatusReport> {
  const { now, own, readConfigured } = context;
  const [published, gauges, counts, paused, uses] = await Promise.all([
    store.processStatuses(),
    store.destinationGauges(),
    store.countDeliveries(),
    store.pausedDestinations(),
    store.lastUses(),
  ]);
  const statuses = [
    ...(own === undefined ? [] : [own]),
    ...published.filter(({ writer }) => writer !== own?.writer),
  ];
  const [newest] = statuses;
  const current = statuses.filter((status) => isCurrent(status, now));
  const isAlive = current.length > 0;
  const configured = isAlive ? null : ((await readConfigured?.()) ?? null);
  const before = newest?.destinations ?? [];
  const destinations = reportDestinations({
    served: current.flatMap((status) => status.destinations),
    configured: isAlive ? [] : (configured?.destinations ?? namesOf(before)),
    before,
    gauges,
    counts,
    paused,
  });
  const sources = isAlive
    ? current.flatMap(({ service }) => service?.sources ?? [])
    : (configured?.sources ?? newest?.service?.sources ?? []);
  const since = destinations.flatMap(
    ({ oldestPendingSince }) => oldestPendingSince ?? [],
  );
  return {
    at: now,
    processes: listed(statuses, now).map((one) => reportProcess(one, now)),
    lastMinute: isAlive ? sumRequests(current) : null,
    pending: sum(destinations.map(({ pending }) => pending)),
    oldestPendingSince:
      since.length === 0 ? null : since.reduce((a, b) => Math.min(a, b)),
    exhausted: sum(destinations.map(({ exhausted }) => exhausted)),
    destinations,
    sources: firstOfEach(sources).map((one) => reportSource(one, uses, now)),
    sinks: isAlive
      ? reportSinks(current)
      : (newest?.service?.sinks ?? []).map(({ name }) => ({
          name,
          lag: null,
          degradedSince: null,
        })),
  };
}

/** Returns the processes that have not ended, without those that went missing long ago; if there is none, the newest one. */
function listed(
  statuses: readonly ProcessStatus[],
  now: number,
): readonly ProcessStatus[] {
  const running = statuses.filter(
    ({ publishedAt, service }) =>
      service?.readiness !== "stopped" &&
      now - publishedAt <= MISSING_LISTED_MS,
  );
  return running.length > 0 ? running : statuses.slice(0, 1);
}

function reportProcess(status: ProcessStatus, now: number): ProcessReport {
  const { writer, publishedAt, service } = status;
  const isKnown = isCurrent(status, now) || service?.readiness === "stopped";
  return {
    writer,
    publishedAt,
    version: service?.version ?? null,
    startedAt: service?.startedAt ?? null,
    readiness: (isKnown ? service?.readiness : undefined) ?? "unknown",
  };
}

function sumRequests(current: readonly ProcessStatus[]): RecentRequests {
  const of = (kind: keyof RecentRequests): number =>
    sum(current.map(({ service }) => service?.lastMinute[kind] ?? 0));
  return {
    accepted: of("accepted"),
    repeated: of("repeated"),
    rejected: of("rejected"),
  };
}

/** Combines the sinks of all processes: a sink of each process has one of the same name in every process. */
function reportSinks(current: readonly ProcessStatus[]): SinkReport[] {
  const all = current.flatMap(({ service }) => service?.sinks ?? []);
  return firstOfEach(all).map(({ name }) => {
    const same = all.filter((sink) => sink.name === name);
    const since = same.flatMap(({ degradedSince }) => degradedSince ?? []);
    return {
      name,
      lag: same.reduce((most, { lag }) => Math.max(most, lag), 0),
      degradedSince:
        since.length === 0 ? null : since.reduce((a, b) => Math.min(a, b)),
    };
  });
}

function firstOfEach<T extends { readonly name: string }>(
  all: readonly T[],
): T[] {
  return [
    ...new Map([...all].reverse().map((one) => [one.name, one])).values(),
  ].reverse();
}

const namesOf = (all: readonly PublishedDestination[]): string[] =>
  all.map(({ name }) => name);

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((a, b) => a + b, 0);

import type { ServedDestination } from "../delivery/destination-status.ts";
import type { Source } from "../domain/source.ts";
import type { Control } from "../store/port.ts";
import type {
  ProcessStatus,
  PublishedDestination,
  PublishedService,
  PublishedState,
} from "../store/records.ts";
import { publishedSource } from "./published-source.ts";

export interface StatusPublisherDeps {
  readonly store: Pick<Control, "publishStatus">;
  /** The id of this process run in the audit chain. */
  readonly writer: string;
  readonly version: string;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly served: () => readonly ServedDestination[];
  /** The current sources. */
  readonly sources: () => Iterable<Source>;
  readonly sinks: () => Promise<PublishedService["sinks"]>;
  readonly readiness: () => Promise<PublishedService["readiness"]>;
  readonly lastMinute: () => PublishedService["lastMinute"];
}

export interface StatusPublisher {
  /** Returns the state of this process at this moment. */
  readonly read: () => Promise<ProcessStatus & PublishedState>;
  /** Publishes the state of this process. Must be called every few seconds, because readers ignore a state older than 10 s. */
  readonly publish: () => Promise<void>;
  /** Publishes that this process ends. Does nothing if it has not published before, as when the startup failed. */
  readonly publishStopped: () => Promise<void>;
}

/** Publishes the state of this process to the store, for commands and other processes. */
export function createStatusPublisher(
  deps: StatusPublisherDeps,
): StatusPublisher {
  const { store, writer, version, now } = deps;
  const startedAt = now();
  let isPublished = false;

  async function read(
    readiness: PublishedService["readiness"],
  ): Promise<ProcessStatus & PublishedState> {
    const sinks = await deps.sinks();
    return {
      writer,
      publishedAt: now(),
      destinations: deps.served().map(publishedDestination),
      service: {
        version,
        startedAt,
        readiness,
        lastMinute: deps.lastMinute(),
        sources: [...deps.sources()].map(publishedSource),
        sinks,
      },
    };
  }

  async function publish(
    readiness: PublishedService["readiness"],
  ): Promise<void> {
    const { destinations, service } = await read(readiness);
    await store.publishStatus({ destinations, service });
    isPublished = true;
  }

  return {
    read: async () => read(await deps.readiness()),
    publish: async () => publish(await deps.readiness()),
    async publishStopped() {
      if (isPublished) {
        await publish("stopped");
      }
    },
  };
}

function publishedDestination({
  destination,
  worker,
}: ServedDestination): PublishedDestination {
  const { name, kind, sources, events, orderBy, place, concurrency } =
    destination;
  const { breaker, isRateLimited, rateLimitedUntil, inFlight } = worker;
  return {
    name,
    kind,
    sources,
    events,
    orderBy,
    place,
    concurrency,
    inFlight,
    breaker: breaker.state,
    failures: breaker.failures,
    probeAt: breaker.probeAt,
    isRateLimited,
    rateLimitedUntil,
  };
}

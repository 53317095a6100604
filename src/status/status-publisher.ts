import type { ServedDestination } from "../delivery/destination-status.ts";
import type { Source } from "../domain/source.ts";
import type { Control } from "../store/port.ts";
import type {
  PublishedDestination,
  PublishedService,
  PublishedSource,
} from "../store/records.ts";

export interface StatusPublisherDeps {
  readonly store: Pick<Control, "publishStatus">;
  readonly version: string;
  /** Unix milliseconds. */
  readonly startedAt: number;
  readonly served: () => readonly ServedDestination[];
  /** The current sources. */
  readonly sources: () => Iterable<Source>;
  readonly sinks: () => Promise<PublishedService["sinks"]>;
  readonly readiness: () => Promise<PublishedService["readiness"]>;
  readonly lastMinute: () => PublishedService["lastMinute"];
}

export interface StatusPublisher {
  /** Publishes the state of this process. Must be called every few seconds, because readers ignore a state older than 10 s. */
  readonly publish: () => Promise<void>;
  /** Publishes that this process ends. Does nothing if it has not published before, as when the startup failed. */
  readonly publishStopped: () => Promise<void>;
}

/** Publishes the state of this process to the store, for commands and other processes. */
export function createStatusPublisher(
  deps: StatusPublisherDeps,
): StatusPublisher {
  const { store, version, startedAt } = deps;
  let isPublished = false;

  async function publish(
    readiness: PublishedService["readiness"],
  ): Promise<void> {
    const sinks = await deps.sinks();
    await store.publishStatus({
      destinations: deps.served().map(publishedDestination),
      service: {
        version,
        startedAt,
        readiness,
        lastMinute: deps.lastMinute(),
        sources: [...deps.sources()].map(publishedSource),
        sinks,
      },
    });
    isPublished = true;
  }

  return {
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

/** Copies only what may be shown: a secret's text and key must not be published. */
function publishedSource(source: Source): PublishedSource {
  return {
    name: source.name,
    scheme: source.scheme.name,
    isDisabled: source.isDisabled,
    secrets: source.secrets.map(
      ({ name, keyId, publicKey, createdAt, expiresAt }) => ({
        name,
        keyId,
        isPublic: publicKey !== null,
        createdAt,
        expiresAt,
      }),
    ),
  };
}

import { createSharedReading } from "../telemetry/metrics/shared-reading.ts";
import type { Metrics } from "../telemetry/metrics/metrics.ts";
import type {
  ProcessReading,
  SourceReading,
  StoreReading,
} from "../telemetry/metrics/gauges.ts";
import type { Dispatcher } from "../delivery/dispatcher.ts";
import { ageInDays } from "../domain/key-age.ts";
import type { Source } from "../domain/source.ts";
import { errorCode } from "../errors.ts";
import type { KeyUses } from "../status/key-uses.ts";
import type { Store } from "../store/port.ts";
import type { AuditTrail } from "./audit-trail.ts";

/** A store that does not answer within this time is left out of the metrics. In milliseconds. */
const TIMEOUT_MS = 2000;

export interface ScrapeDeps {
  readonly metrics: Pick<Metrics, "render">;
  readonly store: Store;
  readonly sinks: AuditTrail["sinks"];
  readonly keyUses: Pick<KeyUses, "all" | "own">;
  readonly served: Dispatcher["served"];
  /** The current sources. */
  readonly sources: () => readonly Source[];
  /** The check for `/readyz`, which also finds a changed trail. */
  readonly ready: () => Promise<void>;
  /** Whether the retention has found a changed entry. */
  readonly isChangeFound: () => boolean;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  readonly onError: (error: unknown) => void;
}

/** Returns a function that returns all metrics as text. It never rejects because of the store. */
export function createScrape(deps: ScrapeDeps): () => Promise<string> {
  const { metrics, store, now } = deps;
  const options = { ...deps, timeoutMs: TIMEOUT_MS };
  const readStore = createSharedReading(() => storeReading(deps), options);
  const readIntact = createSharedReading(() => isIntact(deps), options);
  let scraping: Promise<string> | null = null;

  function processReading(): ProcessReading {
    return {
      sources: deps.sources().map((source) => sourceReading(source, now())),
      destinations: deps.served().map(({ destination, worker }) => ({
        name: destination.name,
        isBreakerOpen: worker.breaker.state !== "closed",
      })),
    };
  }

  async function scrape(): Promise<string> {
    const [reading, intact] = await Promise.all([readStore(), readIntact()]);
    return metrics.render(
      processReading(),
      reading === null
        ? null
        : {
            ...reading,
            at: store.clock(),
            // The reading may be some seconds old.
            uses: [...reading.uses, ...deps.keyUses.own()],
          },
      intact,
    );
  }

  return () => {
    scraping ??= scrape().finally(() => {
      scraping = null;
    });
    return scraping;
  };
}

async function storeReading(
  deps: Pick<ScrapeDeps, "store" | "sinks" | "keyUses">,
): Promise<Omit<StoreReading, "at">> {
  const { store } = deps;
  const [pending, paused, bytes, sinks, uses] = await Promise.all([
    store.destinationGauges(),
    store.pausedDestinations(),
    store.storeBytes(),
    deps.sinks(),
    deps.keyUses.all(store),
  ]);
  const at = store.clock();
  return {
    pending,
    paused: new Set(
      paused
        .filter(({ pausedUntil }) => pausedUntil === null || pausedUntil > at)
        .map(({ name }) => name),
    ),
    bytes,
    sinks,
    uses,
  };
}

/** Returns whether the trail is intact; null = the store cannot tell now. */
async function isIntact(
  deps: Pick<ScrapeDeps, "ready" | "isChangeFound">,
): Promise<boolean | null> {
  if (deps.isChangeFound()) {
    return false;
  }
  return deps.ready().then(
    () => true,
    (error: unknown) => (errorCode(error) === "AUDIT_CHANGED" ? false : null),
  );
}

function sourceReading(source: Source, now: number): SourceReading {
  const [current] = source.secrets;
  return {
    name: source.name,
    keys: source.secrets.map(({ keyId, publicKey, createdAt }) => ({
      keyId,
      // As for the daily check: a public key has no age limit, and an earlier secret is about to expire.
      age:
        keyId !== current?.keyId || publicKey !== null
          ? null
          : (ageInDays(createdAt, now) ?? Number.POSITIVE_INFINITY),
    })),
  };
}

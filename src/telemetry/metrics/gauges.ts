import type * as client from "prom-client";
import { Gauge } from "./prom-client.ts";

/** What the process knows without reading the store. */
export interface ProcessReading {
  readonly sources: readonly SourceReading[];
  /** The destinations that this process serves. */
  readonly destinations: readonly {
    readonly name: string;
    readonly isBreakerOpen: boolean;
  }[];
}

export interface SourceReading {
  readonly name: string;
  readonly keys: readonly {
    readonly keyId: string;
    /** In days; infinite = the creation date is unknown; null = the key has no age limit. */
    readonly age: number | null;
  }[];
}

/** What a scrape reads from the store. Times are unix milliseconds. */
export interface StoreReading {
  /** The time of the store's clock. */
  readonly at: number;
  /** The destinations with pending deliveries. */
  readonly pending: readonly {
    readonly destination: string;
    readonly pending: number;
    readonly oldestPendingSince: number | null;
  }[];
  readonly paused: ReadonlySet<string>;
  /** In bytes; null = unknown to this store. */
  readonly bytes: {
    readonly database: number;
    readonly log: number | null;
    readonly free: number | null;
  };
  readonly sinks: readonly {
    readonly name: string;
    readonly lag: number;
    readonly degradedSince: number | null;
  }[];
  /** When each key was used. The latest time of a key counts. */
  readonly uses: readonly {
    readonly source: string;
    readonly keyId: string;
    readonly at: number;
  }[];
}

/**
 * Creates the gauges, and returns a function that sets them all. Null: the store could not be read, or it is not known
 * whether the audit trail is intact. Then the gauges have no value, because an alert must not take it for 0.
 */
export function createGauges(
  register: client.Registry,
): (
  process: ProcessReading,
  store: StoreReading | null,
  isAuditIntact: boolean | null,
) => void {
  const all: client.Gauge[] = [];
  const gauge = (
    name: string,
    help: string,
    labelNames: readonly string[] = [],
  ): client.Gauge => {
    const created = new Gauge({
      name: `hexhook_${name}`,
      help,
      labelNames,
      registers: [register],
    });
    all.push(created);
    return created;
  };
  const pending = gauge("deliveries_pending", "Pending deliveries", [
    "destination",
  ]);
  const oldest = gauge(
    "delivery_oldest_pending_seconds",
    "How long the oldest pending delivery has been pending; 0: none is",
    ["destination"],
  );
  const breakers = gauge(
    "destination_breaker_open",
    "1 while the circuit breaker of this process is open or half-open",
    ["destination"],
  );
  const paused = gauge(
    "destination_paused",
    "1 while the destination is paused",
    ["destination"],
  );
  const bytes = gauge("store_bytes", "Size of the store", ["kind"]);
  const free = gauge(
    "store_free_bytes",
    "Free space of the file system with the store",
  );
  const lags = gauge(
    "sink_lag_entries",
    "Audit entries that the sink has not accepted yet",
    ["sink"],
  );
  const degraded = gauge(
    "sink_degraded",
    "1 while the audit sink does not accept entries",
    ["sink"],
  );
  const accepted = gauge(
    "source_last_accepted_timestamp_seconds",
    "When the last event was accepted",
    ["source"],
  );
  const ages = gauge(
    "secret_age_days",
    "Age of the current signing secret; +Inf: its date is unknown",
    ["source", "key_id"],
  );
  const used = gauge(
    "secret_last_used_timestamp_seconds",
    "When the secret last signed an event that was accepted",
    ["source", "key_id"],
  );
  const intact = gauge(
    "audit_intact",
    "0 if the audit trail was changed from outside",
  );

  function setProcess({ sources, destinations }: ProcessReading): void {
    for (const { name: destination, isBreakerOpen } of destinations) {
      breakers.set({ destination }, Number(isBreakerOpen));
    }
    for (const { name: source, keys } of sources) {
      for (const { keyId: key_id, age } of keys) {
        if (age !== null) {
          ages.set({ source, key_id }, age);
        }
      }
    }
  }

  function setStore(store: StoreReading, process: ProcessReading): void {
    for (const { name: destination } of process.destinations) {
      pending.set({ destination }, 0);
      oldest.set({ destination }, 0);
      paused.set({ destination }, Number(store.paused.has(destination)));
    }
    for (const one of store.pending) {
      const { destination, oldestPendingSince: since } = one;
      const ageMs = since === null ? 0 : Math.max(0, store.at - since);
      pending.set({ destination }, one.pending);
      oldest.set({ destination }, ageMs / 1000);
      paused.set({ destination }, Number(store.paused.has(destination)));
    }
    bytes.set({ kind: "database" }, store.bytes.database);
    if (store.bytes.log !== null) {
      bytes.set({ kind: "log" }, store.bytes.log);
    }
    if (store.bytes.free !== null) {
      free.set(store.bytes.free);
    }
    for (const { name: sink, lag, degradedSince } of store.sinks) {
      lags.set({ sink }, lag);
      degraded.set({ sink }, Number(degradedSince !== null));
    }
    setUses(store.uses, process.sources);
  }

  function setUses(
    uses: StoreReading["uses"],
    sources: readonly SourceReading[],
  ): void {
    for (const { name: source, keys } of sources) {
      const own = uses.filter((use) => use.source === source);
      if (own.length > 0) {
        accepted.set({ source }, latest(own));
      }
      for (const { keyId: key_id } of keys) {
        const ofKey = own.filter(({ keyId }) => keyId === key_id);
        if (ofKey.length > 0) {
          used.set({ source, key_id }, latest(ofKey));
        }
      }
    }
  }

  return (process, store, isAuditIntact) => {
    for (const one of all) {
      one.reset();
      // A reset sets a gauge without labels to 0.
      one.remove({});
    }
    setProcess(process);
    if (store !== null) {
      setStore(store, process);
    }
    if (isAuditIntact !== null) {
      intact.set(Number(isAuditIntact));
    }
  };
}

/** Returns the latest time of these uses, in unix seconds. */
function latest(uses: StoreReading["uses"]): number {
  return Math.max(...uses.map(({ at }) => at)) / 1000;
}

import type { StoreError } from "../../errors.ts";
import type { Control, StoreReader } from "../port.ts";
import { createAuditReader } from "./audit-reader.ts";
import { createDestinationTable } from "./destinations.ts";
import type { Database } from "./driver.ts";
import { createEventDigests } from "./event-digests.ts";
import { createEventReader } from "./events.ts";
import { createKeyUseTable } from "./key-uses.ts";
import { createNewestTime } from "./newest-time.ts";
import { createProcessStatusTable } from "./process-status.ts";
import { createSinkTable } from "./sinks.ts";
import { storeBytes } from "./store-bytes.ts";
import { withStoreErrors } from "./store-error.ts";

/** The reads of a store outside transactions. They may run at the same time as its writes. */
export type Queries = Omit<StoreReader, "close"> &
  Pick<Control, "newestTime" | "sinkPosition">;

/** `onFatal`: called when an error of a query shows that the file cannot be trusted. */
export function createQueries(
  db: Database,
  deps: {
    readonly file: string;
    readonly now: () => number;
    readonly onFatal: (error: StoreError) => void;
  },
): Queries {
  const { file, now } = deps;
  const destinations = createDestinationTable(db);
  const processStatus = createProcessStatusTable(db);
  const keyUses = createKeyUseTable(db);
  const sinks = createSinkTable(db, now);
  const queries = {
    ...createAuditReader(db),
    ...createEventReader(db, now),
    ...createEventDigests(db),
    countDeliveries: async () => destinations.counts(),
    destinationGauges: async () => destinations.gauges(),
    pausedDestinations: async () => destinations.paused(),
    processStatuses: async () => processStatus.all(),
    storeBytes: async () => storeBytes(file),
    lastUses: async () => keyUses.all(),
    newestTime: createNewestTime(db),
    sinkPosition: async (name: string) => sinks.read(name),
    savedSinks: async () => sinks.all(),
  };
  return withStoreErrors(queries, deps.onFatal);
}

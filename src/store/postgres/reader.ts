import type { StoreReader } from "../port.ts";
import type { PostgresUrl } from "../url.ts";
import { createAuditReader } from "./audit-reader.ts";
import { createDatabaseClock } from "./database-clock.ts";
import { createDatabaseSize } from "./database-size.ts";
import { countDeliveries, readGauges } from "./delivery-counts.ts";
import { createEventDigests } from "./event-digests.ts";
import { createEventReader } from "./events.ts";
import { readKeyUses } from "./key-uses.ts";
import { readPauses } from "./pauses.ts";
import { readProcessStatuses } from "./process-status.ts";
import { openReaderConnection } from "./reader-connection.ts";
import { requireCurrentSchema } from "./schema-version.ts";
import { readSavedSinks } from "./sinks.ts";
import { named } from "./store-error.ts";
import { createTrailGaps, NO_GAPS, positionHolders } from "./trail-gaps.ts";

/**
 * Opens an existing store for reading. `snapshot`: all reads see the store as it was at the first read. A standby can be
 * read too. Rejects with StoreError.
 */
export async function openPostgresReader(
  url: PostgresUrl,
  { snapshot }: { snapshot: boolean },
): Promise<StoreReader> {
  const sql = await openReaderConnection(url, { snapshot });
  const clock = createDatabaseClock(sql, Date.now);
  try {
    await named(url, async () => {
      await requireCurrentSchema(sql);
      await clock.measure();
    });
  } catch (error) {
    await sql.close();
    throw error;
  }
  return {
    ...createAuditReader(
      sql,
      snapshot ? NO_GAPS : createTrailGaps(() => positionHolders(sql)),
    ),
    ...createEventReader(sql, clock.now),
    ...createEventDigests(sql),
    countDeliveries: () => countDeliveries(sql),
    destinationGauges: () => readGauges(sql),
    pausedDestinations: () => readPauses(sql),
    processStatuses: () => readProcessStatuses(sql),
    storeBytes: createDatabaseSize(sql, () => performance.now()),
    lastUses: () => readKeyUses(sql),
    savedSinks: () => readSavedSinks(sql),
    close: sql.close,
  };
}

import { MAX_COUNT } from "../limits.ts";
import type { DeliveryCounts, DestinationGauge } from "../records.ts";
import type { Sql, Statement } from "./sql.ts";

const COUNTS: Statement = {
  name: "count_deliveries",
  text: `
    SELECT destination, sum(pending)::integer AS pending, sum(exhausted)::integer AS exhausted FROM (
      ${countsOf("pending_delivery", "true", "count, 0")}
      UNION ALL
      ${countsOf("ended_delivery", "state = 'exhausted'", "0, count")}
    ) AS counted (destination, pending, exhausted)
    GROUP BY destination ORDER BY destination`,
};

const GAUGES: Statement = {
  name: "destination_gauges",
  text: `
    SELECT destination, count(*) AS pending, min(pending_since) AS "oldestPendingSince"
    FROM pending_delivery GROUP BY destination ORDER BY destination`,
};

/** Returns the pending deliveries of each destination that has any. */
export const readGauges = (sql: Sql): Promise<DestinationGauge[]> =>
  sql.query(GAUGES);

/** Returns how many deliveries of each destination are pending and exhausted. */
export const countDeliveries = (sql: Sql): Promise<DeliveryCounts[]> =>
  sql.query(COUNTS);

/** Counts rows by destination. The query jumps from one destination to the next in an index. */
function countsOf(table: string, condition: string, columns: string): string {
  return `(
    WITH RECURSIVE known (destination) AS (
      (SELECT destination FROM ${table} WHERE ${condition} ORDER BY destination LIMIT 1)
      UNION ALL
      SELECT (
        SELECT destination FROM ${table} WHERE ${condition} AND destination > known.destination
        ORDER BY destination LIMIT 1)
      FROM known WHERE known.destination IS NOT NULL)
    SELECT destination, ${columns} FROM known, LATERAL (
      SELECT count(*) FROM (
        SELECT 1 FROM ${table} WHERE destination = known.destination AND ${condition} LIMIT ${MAX_COUNT}) AS found
    ) AS bounded (count)
    WHERE destination IS NOT NULL)`;
}

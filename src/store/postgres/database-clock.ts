import type { Sql } from "./sql.ts";

/** An expression for the time of the database's clock, in unix milliseconds. */
export const DATABASE_NOW =
  "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

/** Smaller differences than this, in milliseconds, count as none: they come from the network. */
const TOLERANCE_MS = 250;

const NOW = { name: "database-now", text: `SELECT ${DATABASE_NOW} AS at` };

/** The database's clock. It is the clock of due times, because all processes must agree on those. */
export interface DatabaseClock {
  /** Returns its time, in unix milliseconds, by the last measured difference. */
  readonly now: () => number;
  /** Its difference to this process's clock, in milliseconds. */
  readonly offset: () => number;
  /** Measures the difference to this process's clock again. */
  readonly measure: () => Promise<void>;
}

/** `now`: this process's clock, in unix milliseconds. */
export function createDatabaseClock(
  sql: Sql,
  now: () => number,
): DatabaseClock {
  let difference = 0;
  return {
    now: () => now() + difference,
    offset: () => difference,
    async measure() {
      const before = now();
      const [row] = await sql.query<{ at: number }>(NOW);
      const after = now();
      const measured = (row?.at ?? after) - (before + after) / 2;
      // A slow answer says little about the clock.
      const unsure = Math.max(TOLERANCE_MS, after - before);
      difference = Math.abs(measured) < unsure ? 0 : Math.round(measured);
    },
  };
}

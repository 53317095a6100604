import type { Control, LeaseName } from "../port.ts";
import { DATABASE_NOW } from "./database-clock.ts";
import type { Sql } from "./sql.ts";

/** How long a lease lasts by the database's clock, and after which time its holder renews it. Milliseconds. */
const LEASE_MS = 10_000;
const RENEW_AFTER_MS = 3000;

/** The longest hold of purges, in milliseconds. */
const MAX_PURGE_HOLD_MS = 86_400_000;

const HOLD = {
  name: "hold-lease",
  text: `
INSERT INTO lease AS held (name, holder, held_until) VALUES ($1, $2, ${DATABASE_NOW} + ${LEASE_MS})
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until
WHERE held.holder = excluded.holder OR held.held_until <= ${DATABASE_NOW}
  -- An end that is too far ahead was written before the clock was set back.
  OR held.held_until > ${DATABASE_NOW} + ${LEASE_MS}`,
};

const RELEASE = {
  name: "release-leases",
  text: "DELETE FROM lease WHERE holder = $1 AND name <> 'purge-hold'",
};

/** A hold of the purges is a row without a real holder: it outlives the process that found a wrong clock. */
const HOLD_PURGES = {
  name: "hold-purges",
  text: `
INSERT INTO lease AS held (name, holder, held_until) VALUES ('purge-hold', $1, ${DATABASE_NOW} + $2)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, held_until = excluded.held_until`,
};

/** A hold that is too far ahead was written with a clock that has been corrected since. */
const ARE_PURGES_HELD = {
  name: "are-purges-held",
  text: `
SELECT 1 FROM lease WHERE name = 'purge-hold' AND held_until > ${DATABASE_NOW} AND held_until <= ${DATABASE_NOW} + ${MAX_PURGE_HOLD_MS}`,
};

export interface Leases extends Pick<Control, "holdPurges" | "arePurgesHeld"> {
  /**
   * Tries to take or renew a lease. Returns whether this process holds it now. Between two renewals the answer comes from
   * memory, by a monotonic clock.
   */
  readonly hold: (name: LeaseName) => Promise<boolean>;
  /** Gives up all leases, so that another process can take them at once. */
  readonly release: () => Promise<void>;
}

/** `monotonic`: milliseconds. */
export function createLeases(
  sql: Sql,
  writer: string,
  monotonic: () => number,
): Leases {
  /** When the lease was renewed last, if this process holds it. */
  const renewedAt = new Map<LeaseName, number>();

  return {
    async hold(name) {
      const at = monotonic();
      const last = renewedAt.get(name) ?? Number.NEGATIVE_INFINITY;
      if (at - last < RENEW_AFTER_MS) {
        return true;
      }
      const isHeld = (await sql.execute(HOLD, [name, writer])) === 1;
      if (isHeld) {
        // The time before the statement, because the lease may have begun then.
        renewedAt.set(name, at);
      } else {
        renewedAt.delete(name);
      }
      return isHeld;
    },
    async holdPurges(forMs) {
      await sql.execute(HOLD_PURGES, [writer, forMs]);
    },
    arePurgesHeld: async () => (await sql.query(ARE_PURGES_HELD)).length > 0,
    async release() {
      renewedAt.clear();
      await sql.execute(RELEASE, [writer]);
    },
  };
}

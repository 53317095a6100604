import type { LeaseName } from "../port.ts";
import type { Sql } from "./sql.ts";

/** How long a lease lasts by the database's clock, and after which time its holder renews it. Milliseconds. */
const LEASE_MS = 10_000;
const RENEW_AFTER_MS = 3000;

/** The database's clock, in unix milliseconds. */
export const DATABASE_NOW =
  "(extract(epoch FROM clock_timestamp()) * 1000)::bigint";

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
  text: "DELETE FROM lease WHERE holder = $1",
};

export interface Leases {
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
    async release() {
      renewedAt.clear();
      await sql.execute(RELEASE, [writer]);
    },
  };
}

import type { Purged } from "../../audit/retention-entries.ts";
import type { EventStore } from "../port.ts";
import type { PurgeRequest } from "../records.ts";
import type { RunAlone } from "./drop-partition.ts";
import { listExpiredDays } from "./expired-days.ts";
import type { Lane } from "./lane.ts";
import { DAY_MS, dayOf } from "./days.ts";
import type { Pool } from "./pool.ts";
import { createDayPurger } from "./purge-day.ts";
import { purgeKept } from "./purge-kept.ts";

/** The maximum number of steps in one call. Each takes some milliseconds, or waits for other transactions. */
const MAX_STEPS = 20;

/** The maximum number of replay claims without a signed time that one call deletes. */
const MAX_CLAIMS = 2000;

/** The `next` of a call that has gone through all kept events. */
const KEPT_DONE = Number.MAX_SAFE_INTEGER;

const FORGET_TIMELESS = {
  name: "forget-timeless-claims",
  text: `
DELETE FROM timeless_claim USING (SELECT mac FROM timeless_claim WHERE claimed_at < $1 LIMIT ${MAX_CLAIMS}) AS old
WHERE timeless_claim.mac = old.mac`,
};

/**
 * Deletes old events. Whole days go at once, by dropping their partitions: the events of a day stay until all of that UTC day
 * has expired. Events that are still pending then are kept, and deleted one by one when they have ended. A replay claim
 * without a signed time is remembered as long as the events of its day.
 */
export function createPurger(deps: {
  readonly pool: Pool;
  readonly lane: Pick<Lane, "run">;
  readonly alone: RunAlone;
}): EventStore["purge"] {
  const { pool, lane } = deps;
  const days = createDayPurger(deps);

  return async (request: PurgeRequest) => {
    const { receivedBefore } = request;
    const firstKept = dayOf(receivedBefore);
    const from = request.from ?? 0;
    if (from < KEPT_DONE) {
      const kept = await purgeKept({ sql: pool, lane }, { ...request, from });
      if (kept.next !== null || kept.purged.events > 0) {
        return { ...kept, next: kept.next ?? KEPT_DONE };
      }
    }
    const forgotten = await pool.execute(FORGET_TIMELESS, [firstKept * DAY_MS]);
    let purged: Purged = { events: 0, deliveries: 0, attempts: 0 };
    let steps = forgotten === MAX_CLAIMS ? MAX_STEPS - 1 : 0;
    for (const day of await listExpiredDays(pool, firstKept)) {
      for (let isDone = false; !isDone; steps += 1) {
        if (steps >= MAX_STEPS) {
          return { purged, next: KEPT_DONE };
        }
        const step = await days.step(day, request);
        purged = sum(purged, step.purged);
        ({ isDone } = step);
      }
    }
    const isDone = forgotten < MAX_CLAIMS;
    return { purged, next: isDone ? null : KEPT_DONE };
  };
}

function sum(a: Purged, b: Purged): Purged {
  return {
    events: a.events + b.events,
    deliveries: a.deliveries + b.deliveries,
    attempts: a.attempts + b.attempts,
  };
}

import type { DeliveryQueue } from "../port.ts";
import type { Settlement } from "../records.ts";
import { addDeliveries } from "./add-deliveries.ts";
import { createClaims } from "./claims.ts";
import {
  isRepeatCrashDue,
  limitDueTimes,
  nextDueAt,
  release,
} from "./deliveries.ts";
import { countDeliveries } from "./delivery-counts.ts";
import { discard } from "./discard.ts";
import { expire, isAnyTooOld } from "./expire.ts";
import type { Lane } from "./lane.ts";
import { redeliver } from "./redeliver.ts";
import { settleAll } from "./settle.ts";
import type { Sql } from "./sql.ts";
import { createWaitingKeys } from "./waiting-keys.ts";

/** The maximum number of outcomes in one transaction: a few milliseconds. */
const MAX_SETTLED = 500;

/** Creates the queue of deliveries. What needs an audit entry runs in the lane, and the rest in the pool. */
export function createDeliveryQueue(deps: {
  readonly pool: Sql;
  readonly lane: Lane;
  readonly writer: string;
  /** Unix milliseconds of the clock for due times. */
  readonly clock: () => number;
  readonly monotonic: () => number;
}): DeliveryQueue {
  const { pool, lane, clock, monotonic } = deps;
  const claim = createClaims(deps);
  const wakeWaitingKeys = createWaitingKeys(pool, { now: clock, monotonic });
  const settle = lane.batched<Settlement, boolean>(settleAll, {
    maxJobs: MAX_SETTLED,
  });

  return {
    claim: async (request) => {
      await wakeWaitingKeys(request.destination);
      return claim(request);
    },
    limitDueTimes: (limits) => limitDueTimes(pool, limits),
    expire: async (request) =>
      (await isAnyTooOld(pool, request))
        ? lane.run((tx) => expire(tx, request))
        : 0,
    settle,
    release: (deliveryId, attempt, now) =>
      release(pool, deliveryId, attempt, now),
    isRepeatCrashDue: (request) => isRepeatCrashDue(pool, request),
    nextDueAt: async (destination) => {
      await wakeWaitingKeys(destination);
      return nextDueAt(pool, destination);
    },
    countDeliveries: () => countDeliveries(pool),
    redeliver: (request) => lane.run((tx) => redeliver(tx, request)),
    addDeliveries: (request) => lane.run((tx) => addDeliveries(tx, request)),
    discard: (request) => lane.run((tx) => discard(tx, request)),
  };
}

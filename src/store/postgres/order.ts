import { AFTER_ANOTHER } from "../limits.ts";
import { columnsOf, type Sql, type Statement } from "./sql.ts";

/*
 * Keeps the order of deliveries with the same destination and order key. The first one of a key has a due time, the others
 * wait with AFTER_ANOTHER. Transactions of several processes do not see each other's changes before they commit. So more than
 * one delivery of a key may get a due time; a claim then takes the one with the oldest event. And all deliveries of a key may
 * be left waiting; waiting-keys.ts repairs that.
 */

/** A delivery with its order key; null = it has none. */
interface Ordered {
  readonly destination: string;
  readonly orderKey: Buffer | null;
}

const keyText = (destination: string, orderKey: Buffer): string =>
  `${orderKey.toString("hex")} ${destination}`;

const ADVANCE: Statement = {
  name: "advance_keys",
  text: `
    UPDATE pending_delivery SET due_at = key.now
    FROM unnest($1::text[], $2::bytea[], $3::bigint[]) AS key (destination, order_key, now), LATERAL (
      SELECT id FROM pending_delivery waiting
      WHERE waiting.destination = key.destination AND waiting.order_key = key.order_key AND waiting.due_at = ${AFTER_ANOTHER}
      ORDER BY event_seq, id LIMIT 1) AS first
    WHERE pending_delivery.id = first.id AND pending_delivery.due_at = ${AFTER_ANOTHER} AND NOT EXISTS (
      SELECT FROM pending_delivery active
      WHERE active.destination = key.destination AND active.order_key = key.order_key AND active.due_at < ${AFTER_ANOTHER})`,
};

/**
 * Makes the next delivery of each key due, unless another one of the key has a due time. Deliveries without a key are
 * ignored.
 */
export async function advance(
  sql: Sql,
  ended: readonly (Ordered & { readonly now: number })[],
): Promise<void> {
  const keys = new Map<string, unknown[]>();
  for (const { destination, orderKey, now } of ended) {
    if (orderKey !== null) {
      keys.set(keyText(destination, orderKey), [destination, orderKey, now]);
    }
  }
  if (keys.size > 0) {
    await sql.execute(ADVANCE, columnsOf([...keys.values()]));
  }
}

const ACTIVE: Statement = {
  name: "active_of_keys",
  text: `
    SELECT id, key.destination, key.order_key AS "orderKey"
    FROM unnest($1::text[], $2::bytea[]) AS key (destination, order_key) JOIN pending_delivery active
      ON active.destination = key.destination AND active.order_key = key.order_key AND active.due_at < ${AFTER_ANOTHER}`,
};

/** The due times of deliveries that a transaction makes pending. */
export interface DueTimes {
  /**
   * Returns `dueAt`, or AFTER_ANOTHER if another delivery of the key has a due time. The delivery then counts as having the
   * returned due time. `id`: a text for a delivery that is not stored yet.
   */
  readonly of: (
    delivery: Ordered & { readonly id: number | string },
    dueAt: number,
  ) => number;
}

/** Reads which deliveries of the order keys of these deliveries have a due time. */
export async function readDueTimes(
  sql: Sql,
  deliveries: readonly Ordered[],
): Promise<DueTimes> {
  const keys = new Map<string, unknown[]>();
  for (const { destination, orderKey } of deliveries) {
    if (orderKey !== null) {
      keys.set(keyText(destination, orderKey), [destination, orderKey]);
    }
  }
  const active = new Map<string, Set<number | string>>();
  if (keys.size > 0) {
    const rows = await sql.query<{
      id: number;
      destination: string;
      orderKey: Buffer;
    }>(ACTIVE, columnsOf([...keys.values()]));
    for (const { id, destination, orderKey } of rows) {
      const key = keyText(destination, orderKey);
      active.set(key, (active.get(key) ?? new Set()).add(id));
    }
  }
  return {
    of({ id, destination, orderKey }, dueAt) {
      if (orderKey === null) {
        return dueAt;
      }
      const key = keyText(destination, orderKey);
      const ids = active.get(key) ?? new Set();
      if ([...ids].some((other) => other !== id)) {
        return AFTER_ANOTHER;
      }
      active.set(key, ids.add(id));
      return dueAt;
    },
  };
}

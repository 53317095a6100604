import { AFTER_ANOTHER } from "../limits.ts";
import type { Sql, Statement } from "./sql.ts";

/** How often the keys of a destination are examined, in milliseconds, and how many at once: a few milliseconds. */
const EVERY_MS = 1000;
const STEP = 500;

const WAKE: Statement = {
  name: "wake_waiting_keys",
  text: `
    WITH RECURSIVE key (order_key) AS (
      (SELECT order_key FROM pending_delivery
       WHERE destination = $1 AND due_at = ${AFTER_ANOTHER} AND order_key > $2::bytea ORDER BY order_key LIMIT 1)
      UNION ALL
      SELECT (
        SELECT order_key FROM pending_delivery
        WHERE destination = $1 AND due_at = ${AFTER_ANOTHER} AND order_key > key.order_key ORDER BY order_key LIMIT 1)
      FROM key WHERE key.order_key IS NOT NULL),
    step AS MATERIALIZED (SELECT order_key FROM key WHERE order_key IS NOT NULL LIMIT ${STEP}),
    first AS (
      SELECT (
        SELECT id FROM pending_delivery waiting
        WHERE destination = $1 AND due_at = ${AFTER_ANOTHER} AND waiting.order_key = step.order_key
        ORDER BY event_seq, id LIMIT 1) AS id
      FROM step WHERE NOT EXISTS (
        SELECT FROM pending_delivery active
        WHERE destination = $1 AND due_at < ${AFTER_ANOTHER} AND active.order_key = step.order_key)),
    woken AS (
      UPDATE pending_delivery SET due_at = least(pending_since, $3::bigint)
      WHERE id IN (SELECT id FROM first) AND due_at = ${AFTER_ANOTHER})
    SELECT order_key AS last, (SELECT count(*) FROM step) AS keys FROM step ORDER BY order_key DESC LIMIT 1`,
};

/**
 * Finds order keys whose deliveries all wait, because a process ended the first one while another process stored the next one.
 * Makes the first delivery of each of these keys due. The returned function examines a limited number of keys of a
 * destination, at most once a second.
 */
export function createWaitingKeys(
  sql: Sql,
  clocks: {
    /** Unix milliseconds of the clock for due times. */
    readonly now: () => number;
    readonly monotonic: () => number;
  },
): (destination: string) => Promise<void> {
  const progress = new Map<string, { at: number; after: Buffer }>();
  return async (destination) => {
    const at = clocks.monotonic();
    const last = progress.get(destination);
    if (last !== undefined && at - last.at < EVERY_MS) {
      return;
    }
    progress.set(destination, { at, after: last?.after ?? Buffer.alloc(0) });
    const [step] = await sql.query<{ last: Buffer; keys: number }>(WAKE, [
      destination,
      last?.after ?? Buffer.alloc(0),
      clocks.now(),
    ]);
    const isAtEnd = step === undefined || step.keys < STEP;
    progress.set(destination, {
      at,
      after: isAtEnd ? Buffer.alloc(0) : step.last,
    });
  };
}

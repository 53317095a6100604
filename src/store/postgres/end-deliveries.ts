import type { Sql, Statement } from "./sql.ts";

const END: Statement = {
  name: "end_deliveries",
  text: `
    WITH ended AS (DELETE FROM pending_delivery WHERE id = ANY ($1::bigint[]) RETURNING *)
    INSERT INTO ended_delivery
      (day, id, event_seq, destination, state, attempt, uncounted, crashes, claimed_at, order_key)
    SELECT day, id, event_seq, destination, $2, attempt, uncounted, crashes, claimed_at, order_key FROM ended`,
};

/** Gives pending deliveries their final state. The caller advances their order keys. */
export async function endDeliveries(
  sql: Sql,
  ids: readonly number[],
  state: "exhausted" | "discarded",
): Promise<void> {
  if (ids.length > 0) {
    await sql.execute(END, [ids, state]);
  }
}

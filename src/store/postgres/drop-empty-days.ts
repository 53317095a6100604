import { dayOf } from "./days.ts";
import type { Partitions } from "./partitions.ts";
import type { Sql } from "./sql.ts";

/** Drops the partitions of the trail whose whole day is before `before` (unix milliseconds) and which have no entries. */
export async function dropEmptyDays(
  sql: Sql,
  partitions: Pick<Partitions, "list" | "drop">,
  before: number,
): Promise<void> {
  const days = await partitions.list("audit_entry");
  for (const day of days.filter((one) => one < dayOf(before))) {
    // The day is part of the text, so that the planner skips the other partitions.
    const [row] = await sql.query({
      name: "",
      text: `SELECT 1 FROM audit_entry WHERE day = ${day} LIMIT 1`,
    });
    if (row === undefined) {
      await partitions.drop("audit_entry", day);
    }
  }
}

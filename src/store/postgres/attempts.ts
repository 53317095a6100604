import type { AttemptResult } from "../../domain/delivery.ts";
import { columnsOf, type Sql, type Statement } from "./sql.ts";

/** The outcome of an attempt. */
export interface AttemptOutcome {
  readonly deliveryId: number;
  /** The day of the event. */
  readonly day: number;
  readonly attempt: number;
  readonly startedAt: number | null;
  /** Null: the process died. */
  readonly endedAt: number | null;
  readonly result: AttemptResult;
}

/** The columns of a result: ok, status, reason and detail. */
export function resultColumns(
  result: AttemptResult,
): [boolean, number | null, string | null, string | null] {
  return [
    result.ok,
    result.status ?? null,
    result.ok ? null : result.reason,
    result.ok ? null : (result.detail ?? null),
  ];
}

const INSERT: Statement = {
  name: "insert_attempts",
  text: `
    INSERT INTO attempt (day, delivery_id, attempt, started_at, ended_at, ok, status, reason, detail)
    SELECT * FROM unnest($1::integer[], $2::bigint[], $3::integer[], $4::bigint[], $5::bigint[], $6::boolean[],
      $7::integer[], $8::text[], $9::text[])`,
};

/** Writes the outcomes of attempts. */
export async function insertAttempts(
  sql: Sql,
  outcomes: readonly AttemptOutcome[],
): Promise<void> {
  if (outcomes.length > 0) {
    await sql.execute(
      INSERT,
      columnsOf(
        outcomes.map((one) => [
          one.day,
          one.deliveryId,
          one.attempt,
          one.startedAt,
          one.endedAt,
          ...resultColumns(one.result),
        ]),
      ),
    );
  }
}

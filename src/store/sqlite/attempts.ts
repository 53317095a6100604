import type { AttemptRecord, AttemptResult } from "../../domain/delivery.ts";
import type { Database } from "./driver.ts";

interface AttemptRow {
  readonly attempt: number;
  readonly started_at: number | null;
  readonly ended_at: number | null;
  readonly ok: number;
  readonly status: number | null;
  readonly reason: string | null;
  readonly detail: string | null;
}

/** Writes and reads the outcomes of attempts. */
export function createAttemptLog(db: Database) {
  const insert = db.prepare<
    [
      number,
      number,
      number | null,
      number | null,
      number,
      number | null,
      string | null,
      string | null,
    ]
  >(
    `INSERT INTO attempt (delivery_id, attempt, started_at, ended_at, ok, status, reason, detail)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const select = db.prepare<[number], AttemptRow>(
    `SELECT attempt, started_at, ended_at, ok, status, reason, detail FROM attempt
     WHERE delivery_id = ? ORDER BY attempt`,
  );
  return {
    insert(
      deliveryId: number,
      attempt: number,
      how: {
        startedAt: number | null;
        endedAt: number | null;
        result: AttemptResult;
      },
    ): void {
      const { startedAt, endedAt, result } = how;
      insert.run(
        deliveryId,
        attempt,
        startedAt,
        endedAt,
        result.ok ? 1 : 0,
        result.status ?? null,
        result.ok ? null : result.reason,
        result.ok ? null : (result.detail ?? null),
      );
    },
    of(deliveryId: number): AttemptRecord[] {
      return select
        .all(deliveryId)
        .map(({ started_at, ended_at, ok, ...same }) => ({
          ...same,
          ok: ok === 1,
          startedAt: started_at,
          endedAt: ended_at,
        }));
    },
  };
}

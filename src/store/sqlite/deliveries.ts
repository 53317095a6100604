import type { ClaimRequest, DueTimeLimits, Settlement } from "../records.ts";
import type { AuditDraft } from "../../audit/entry.ts";
import { afterLostAttempt } from "../../domain/lost-attempt.ts";
import type { Database } from "./driver.ts";
import {
  attemptFacts,
  type AttemptResult,
  type ClaimedDelivery,
  type DeliveryState,
  type FailedAttempt,
  type LostAttempt,
} from "../../domain/delivery.ts";
import { createAttemptLog } from "./attempts.ts";
import { DUE_COLUMNS, type DueRow } from "./due-row.ts";
import { createEventRows } from "./event-rows.ts";
import { AFTER_ANOTHER, MAX_CLAIMED_BYTES } from "../limits.ts";
import type { Order } from "./order.ts";
import type { RecordLostAttempt } from "./lost-attempts.ts";
import { createProbeSelection } from "./probe-selection.ts";

type EndedRow = Pick<DueRow, "destination" | "claimed_at" | "order_key">;

// The end of a lease is compared with the wall clock, because another process with a correct clock may have taken it.
const DUE = `
  SELECT ${DUE_COLUMNS}
  FROM delivery WHERE destination = ? AND state = 'pending' AND due_at <= ? AND (leased = 0 OR due_at <= ?)`;

/** Claims, settles and releases deliveries. The attempt number of a settlement fences late results. */
export function createDeliveryTable(
  db: Database,
  deps: {
    order: Order;
    append: (entry: AuditDraft) => void;
    recordLostAttempt: RecordLostAttempt;
    /** Called with each delivery that a claim exhausts. */
    exhausted: (failed: FailedAttempt) => void;
  },
) {
  const { order, append, exhausted } = deps;
  const events = createEventRows(db);
  const attempts = createAttemptLog(db);
  const selectProbe = createProbeSelection(db);
  const due = db.prepare<[string, number, number, number], DueRow>(
    `${DUE} ORDER BY due_at LIMIT ?`,
  );
  const dueUncrashed = db.prepare<[string, number, number, number], DueRow>(
    `${DUE} AND crashes = 0 ORDER BY due_at LIMIT ?`,
  );
  const dueCrashed = {
    once: db.prepare<[string, number, number], DueRow>(
      `${DUE} AND crashes = 1 AND crashes > 0 ORDER BY due_at LIMIT 1`,
    ),
    // With `crashes > 0` SQLite can use the partial index.
    repeatedly: db.prepare<[string, number, number], DueRow>(
      `${DUE} AND crashes > 1 AND crashes > 0 ORDER BY due_at LIMIT 1`,
    ),
  };
  const lease = db.prepare<[number, number, number]>(
    "UPDATE delivery SET attempt = attempt + 1, leased = 1, due_at = ?, claimed_at = ? WHERE id = ?",
  );
  const lose = db.prepare<[string, number | null, number]>(
    `UPDATE delivery SET state = ?, due_at = coalesce(?, due_at), leased = 0,
       crashes = crashes + 1, uncounted = uncounted + 1
     WHERE id = ?`,
  );
  const held =
    "WHERE id = ? AND attempt = ? AND state = 'pending' AND leased = 1";
  const settle = db.prepare<[string, number | null, number, number], EndedRow>(
    `UPDATE delivery SET state = ?, due_at = coalesce(?, due_at), leased = 0 ${held}
     RETURNING destination, claimed_at, order_key`,
  );
  const release = db.prepare<[number, number, number], EndedRow>(
    `UPDATE delivery SET due_at = ?, leased = 0, uncounted = uncounted + 1 ${held}
     RETURNING destination, claimed_at, order_key`,
  );
  const endLeases = db.prepare<[number]>(
    "UPDATE delivery SET due_at = min(due_at, ?) WHERE state = 'pending' AND leased = 1",
  );
  const pendingUntil =
    "WHERE destination = ? AND state = 'pending' AND due_at > ?";
  const limitFirstAttempts = db.prepare<[number, string, number]>(
    `UPDATE delivery SET due_at = ? ${pendingUntil}
       AND due_at < ${AFTER_ANOTHER} AND leased = 0 AND attempt = uncounted`,
  );
  const limitRetries = db.prepare<[number, string, number]>(
    `UPDATE delivery SET due_at = ? ${pendingUntil} AND due_at < ${AFTER_ANOTHER} AND leased = 0`,
  );
  const limitLeases = db.prepare<[number, string, number]>(
    `UPDATE delivery SET due_at = ? ${pendingUntil} AND leased = 1`,
  );
  const nextDueAt = db.prepare<[string], { due_at: number | null }>(
    "SELECT min(due_at) AS due_at FROM delivery WHERE destination = ? AND state = 'pending'",
  );

  function take(row: DueRow, request: ClaimRequest): ClaimedDelivery {
    const { id, destination, attempt, uncounted, crashes } = row;
    const { now, leaseUntil } = request;
    lease.run(leaseUntil, now, id);
    return {
      id,
      destination,
      attempt: attempt + 1,
      scheduledAttempt: attempt + 1 - uncounted,
      crashes,
      startedAt: now,
      event: events.bySeq(row.event_seq),
    };
  }

  /** Records that an attempt was lost. Returns the updated row; null = the delivery is no longer pending. */
  function loseAttempt(row: DueRow, request: ClaimRequest): DueRow | null {
    const { id, destination, attempt, order_key } = row;
    const crashes = row.crashes + 1;
    const lost: LostAttempt = {
      id,
      destination,
      attempt,
      crashes,
      event: events.bySeq(row.event_seq),
    };
    const { kind, now } = request;
    const next = afterLostAttempt({ kind, crashes, now });
    lose.run(next.state, dueAtOf(next), id);
    deps.recordLostAttempt(lost, { startedAt: row.claimed_at, next, at: now });
    if (next.state !== "pending") {
      const failure = { reason: "process_died" };
      exhausted({ ...attemptFacts(lost), failure });
      order.advance(destination, order_key, now);
      return null;
    }
    return { ...row, crashes, uncounted: row.uncounted + 1, leased: 0 };
  }

  function claimUpToLimit(request: ClaimRequest): ClaimedDelivery[] {
    const { destination, now, dueUntil, limit, crashed } = request;
    const select = crashed === "any" ? due : dueUncrashed;
    const claimed: ClaimedDelivery[] = [];
    let bytes = 0;
    let mayTakeMore: boolean;
    do {
      mayTakeMore = false;
      const free = limit - claimed.length;
      for (const row of select.all(destination, dueUntil, now, free)) {
        if (request.holding.has(row.id)) {
          continue;
        }
        if (bytes > MAX_CLAIMED_BYTES) {
          return claimed;
        }
        const lost = row.leased === 1;
        const ready = lost ? loseAttempt(row, request) : row;
        if (ready !== null && (crashed === "any" || ready.crashes === 0)) {
          const taken = take(ready, request);
          claimed.push(taken);
          bytes += taken.event.body.length;
        }
        // A lost attempt may have exhausted its delivery, so more deliveries fit into the limit.
        mayTakeMore ||= lost && claimed.length < limit;
      }
    } while (mayTakeMore);
    return claimed;
  }

  function claimCrashed(
    request: ClaimRequest,
    kind: "once" | "repeatedly",
  ): ClaimedDelivery[] {
    const { destination, now, dueUntil } = request;
    for (;;) {
      const row = dueCrashed[kind].get(destination, dueUntil, now);
      if (row === undefined || request.holding.has(row.id)) {
        return [];
      }
      const lost = row.leased === 1;
      const ready = lost ? loseAttempt(row, request) : row;
      if (ready !== null && !(lost && kind === "once")) {
        return [take(ready, request)];
      }
    }
  }

  function end(
    deliveryId: number,
    attempt: number,
    row: EndedRow,
    how: { endedAt: number; result: AttemptResult },
  ): void {
    attempts.insert(deliveryId, attempt, {
      startedAt: row.claimed_at,
      ...how,
    });
  }

  return {
    claim(request: ClaimRequest): ClaimedDelivery[] {
      const { crashed } = request;
      const probe = selectProbe(request);
      if (probe !== null) {
        return [take(probe, request)];
      }
      if (crashed === "any" || crashed === "none") {
        return claimUpToLimit(request);
      }
      const repeatedly =
        crashed === "repeatedly" ? claimCrashed(request, "repeatedly") : [];
      if (repeatedly.length > 0) {
        return repeatedly;
      }
      const once = claimCrashed(request, "once");
      const limit = request.limit - once.length;
      const claimed = [...once, ...claimUpToLimit({ ...request, limit })];
      return claimed.length > 0
        ? claimed.sort((a, b) => a.id - b.id)
        : // A delivery whose lost attempt was just recorded may now be claimable.
          claimCrashed(request, crashed);
    },
    isRepeatCrashDue({
      destination,
      now,
      dueUntil,
    }: Pick<ClaimRequest, "destination" | "now" | "dueUntil">): boolean {
      const { repeatedly } = dueCrashed;
      return repeatedly.get(destination, dueUntil, now) !== undefined;
    },
    /** Returns false if the lease was lost. */
    settle(settlement: Settlement): boolean {
      const { deliveryId, attempt, next, endedAt, result } = settlement;
      const row = settle.get(next.state, dueAtOf(next), deliveryId, attempt);
      if (row === undefined) {
        return false;
      }
      end(deliveryId, attempt, row, { endedAt, result });
      append(settlement.entry);
      if (next.state !== "pending") {
        order.advance(row.destination, row.order_key, endedAt);
      }
      return true;
    },
    release(deliveryId: number, attempt: number, now: number): void {
      const row = release.get(now, deliveryId, attempt);
      if (row !== undefined) {
        const result: AttemptResult = { ok: false, reason: "released" };
        end(deliveryId, attempt, row, { endedAt: now, result });
      }
    },
    /** Ends all leases. Only a process that starts while no other process runs may call this. */
    endLeases(now: number): void {
      endLeases.run(now);
    },
    limitDueTimes(limits: DueTimeLimits): void {
      const { destination, now, retryUntil, leaseUntil } = limits;
      limitFirstAttempts.run(now, destination, now);
      limitRetries.run(retryUntil, destination, retryUntil);
      limitLeases.run(leaseUntil, destination, leaseUntil);
    },
    nextDueAt(destination: string): number | null {
      return nextDueAt.get(destination)?.due_at ?? null;
    },
  };
}

function dueAtOf(next: DeliveryState): number | null {
  return next.state === "pending" ? next.dueAt : null;
}

import { type AuditDraft } from "../core/audit-entry.ts";
import {
  type AttemptResult,
  type ClaimedDelivery,
  type DeliveryState,
  type Destination,
} from "../core/model.ts";
import { settle } from "../core/settle.ts";
import { type Store } from "../core/store.ts";
import { createAlarm } from "./alarm.ts";
import { outcomeEntry } from "./outcome-entry.ts";

/** How long a worker sleeps at most: deliveries that another process made due are found by then. */
const POLL_MS = 1000;

/** A lease outlives the attempt by this much, so that the outcome can still be written. */
const LEASE_MARGIN_MS = 5000;

export interface Worker {
  /** Begins to claim; before that nothing is. */
  start: () => void;
  /** Says that a delivery may be due. */
  wake(): void;
  /** Claims nothing more and waits for the attempts in flight; those past `graceMs` are aborted and released. */
  stop(graceMs: number): Promise<void>;
}

export interface WorkerDeps {
  readonly store: Pick<Store, "claim" | "settle" | "release" | "nextDueAt">;
  readonly destination: Destination;
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Told of faults of the store; the worker goes on. */
  readonly onFault: (error: unknown) => void;
}

export interface WorkerOptions {
  readonly scheduleMs: readonly number[];
  readonly attemptTimeoutMs: number;
}

/**
 * Brings the events of one destination there: claim → attempt → settle → record. Each destination has a worker of
 * its own, so that one which is slow or down delays no other.
 */
export function createWorker(deps: WorkerDeps, options: WorkerOptions): Worker {
  const { store, destination, now, random } = deps;
  const { scheduleMs, attemptTimeoutMs } = options;
  const alarm = createAlarm();
  const inFlight = new Set<Promise<void>>();
  const aborts = new Set<AbortController>();
  let stopping = false;
  let released = false;

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        await alarm.wait(await claimAndStart());
      } catch (error) {
        deps.onFault(error);
        await alarm.wait(POLL_MS);
      }
    }
  }

  /** Starts what is due and there is room for; says how long there is nothing to do, in milliseconds. */
  async function claimAndStart(): Promise<number> {
    const free = destination.concurrency - inFlight.size;
    if (free <= 0) {
      // The end of an attempt wakes.
      return POLL_MS;
    }
    const dueAt = await store.nextDueAt(destination.name);
    const at = now();
    if (dueAt === null || dueAt > at) {
      return dueAt === null ? POLL_MS : Math.min(POLL_MS, dueAt - at);
    }
    const claimed = await store.claim({
      destination: destination.name,
      now: at,
      limit: free,
      leaseUntil: at + attemptTimeoutMs + LEASE_MARGIN_MS,
    });
    for (const delivery of claimed) {
      const attempt = deliver(delivery).catch(deps.onFault);
      inFlight.add(attempt);
      void attempt.finally(() => {
        inFlight.delete(attempt);
        alarm.ring();
      });
    }
    return claimed.length === 0 ? POLL_MS : 0;
  }

  async function deliver(delivery: ClaimedDelivery): Promise<void> {
    const startedAt = now();
    const result = await attemptWithin(delivery);
    if (!result.ok && released) {
      await store.release(delivery.id, delivery.attempt, now());
      return;
    }
    const settledAt = now();
    const next: DeliveryState = settle({
      attempt: delivery.attempt,
      result,
      scheduleMs,
      now: settledAt,
      random: random(),
    });
    const entry: AuditDraft = outcomeEntry({
      delivery,
      result,
      next,
      at: settledAt,
      durationMs: settledAt - startedAt,
    });
    await store.settle({
      deliveryId: delivery.id,
      attempt: delivery.attempt,
      next,
      entry,
    });
  }

  /** One attempt that ends when its time is up, whether the destination heeds the signal or not. */
  async function attemptWithin(
    delivery: ClaimedDelivery,
  ): Promise<AttemptResult> {
    const abort = new AbortController();
    aborts.add(abort);
    const timer = setTimeout(() => {
      abort.abort();
    }, attemptTimeoutMs);
    const timedOut = new Promise<AttemptResult>((resolve) => {
      abort.signal.addEventListener("abort", () => {
        resolve({ ok: false, reason: "timeout" });
      });
    });
    try {
      return await Promise.race([
        destination
          .attempt(delivery, abort.signal)
          .catch((): AttemptResult => ({ ok: false, reason: "attempt_threw" })),
        timedOut,
      ]);
    } finally {
      clearTimeout(timer);
      aborts.delete(abort);
    }
  }

  let running: Promise<void> | null = null;

  return {
    start() {
      running ??= run();
    },
    wake: alarm.ring,
    async stop(graceMs) {
      stopping = true;
      alarm.ring();
      await running;
      const deadline = setTimeout(() => {
        released = true;
        for (const abort of aborts) {
          abort.abort();
        }
      }, graceMs);
      await Promise.all(inFlight);
      clearTimeout(deadline);
    },
  };
}

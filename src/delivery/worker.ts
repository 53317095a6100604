import type { ClaimRequest, Settlement } from "../store/records.ts";
import type { Destination } from "../domain/destination.ts";
import {
  attemptFacts,
  type AttemptResult,
  type ClaimedDelivery,
  type FailedAttempt,
} from "../domain/delivery.ts";
import { setMaxListeners } from "node:events";
import type { WorkerStatus } from "./destination-status.ts";
import { longestSleep, POLL_MS } from "./longest-sleep.ts";
import { longestWait, settle } from "./settle.ts";
import type { DeliveryQueue, Store } from "../store/port.ts";
import { createAgeClock } from "./age-clock.ts";
import { createInterruptibleSleep } from "../background/interruptible-sleep.ts";
import { withAttemptTimeout } from "./attempt-timeout.ts";
import type { AttemptRate } from "./attempt-rate.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import type { AttemptOutcome } from "../telemetry/measurement.ts";
import { outcomeEntry } from "../audit/delivery-entries.ts";
import { type Quarantine, crashLevelOf } from "./quarantine.ts";
import { requestedPause } from "./pause-by-retry-after.ts";
import { settleWithRetry } from "./settle-with-retry.ts";
import { endAttemptSpan, startAttemptSpan } from "../telemetry/traces.ts";

/** How much longer a lease lasts than the attempt's timeout, so that the outcome can still be written. */
const LEASE_MARGIN_MS = 5000;

export interface Worker {
  /** Starts claiming deliveries. */
  start: () => void;
  /** Notifies the worker that a delivery may be due. */
  wake: () => void;
  /** Starts no further attempts until `resume`. Attempts in flight continue. */
  pause: () => void;
  /** Starts attempts again. A resume by an operator also closes the breaker. */
  resume: (by: "operator" | "system") => void;
  status: () => WorkerStatus;
  /** Stops claiming and waits for the attempts in flight. Those that take longer than `graceMs` are aborted and released. */
  stop: (graceMs: number) => Promise<void>;
}

export interface WorkerDeps {
  readonly store: Pick<
    DeliveryQueue,
    | "claim"
    | "expire"
    | "isRepeatCrashDue"
    | "limitDueTimes"
    | "settle"
    | "release"
    | "nextDueAt"
  > &
    Pick<Store, "isShared">;
  readonly destination: Destination;
  readonly breaker: CircuitBreaker;
  /** Limits the attempts of deliveries that crashed; null for a destination that cannot end the process. */
  readonly quarantine: Quarantine | null;
  /** Limits the rate at which attempts start; null = no limit. */
  readonly rate: AttemptRate | null;
  /** Unix milliseconds of the store's clock, for times that are stored or shown. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock, for the breaker. */
  readonly monotonic: () => number;
  /** Unix milliseconds of the clock for due times (`due-clock.ts`). */
  readonly dueNow: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called when an attempt has ended, unless a shutdown cut it off. */
  readonly onEnded: (result: AttemptOutcome, durationMs: number) => void;
  /** Called for a failed attempt, before the breaker counts it. */
  readonly onFailed: (failed: FailedAttempt) => void;
  /** Called when a failed attempt was the last of its delivery, after that is durable. */
  readonly onExhausted: (failed: FailedAttempt) => void;
  /** Called with errors of the store. The worker continues. */
  readonly onError: (error: unknown) => void;
}

export interface WorkerOptions {
  readonly scheduleMs: readonly number[];
  readonly attemptTimeoutMs: number;
}

/**
 * Creates the worker of one destination. It repeats four steps: claim, attempt, settle, record. Each destination has its own
 * worker, so that a slow or failing destination delays no other.
 */
export function createWorker(deps: WorkerDeps, options: WorkerOptions): Worker {
  const { store, destination, breaker, quarantine, rate, random } = deps;
  const { now, monotonic, dueNow } = deps;
  const { scheduleMs, attemptTimeoutMs } = options;
  const sleep = createInterruptibleSleep();
  const ageNow =
    destination.maxAgeMs === undefined
      ? null
      : createAgeClock({ now, monotonic }, destination.maxAgeMs);
  /** The attempts in flight, by the id of the delivery. */
  const inFlight = new Map<number, Promise<void>>();
  const cutOff = new AbortController();
  // Each attempt in flight adds a listener, and Node warns of a leak from the eleventh on.
  setMaxListeners(0, cutOff.signal);
  /** Outcomes that could not be written yet. */
  const unsettled = new Set<Settlement>();
  /** Whether the due times that earlier processes stored have been limited. */
  let areDueTimesLimited = false;
  /** Whether to claim without reading the next due time: a delivery may have become due, or the last claim was full. */
  let mayBeDue = true;
  /** When the worker last checked the store for due deliveries that crashed repeatedly. */
  let repeatCrashCheckedAt = Number.NEGATIVE_INFINITY;
  /** When the worker last claimed a delivery. */
  let claimedAt = Number.NEGATIVE_INFINITY;
  let paused = false;
  let stopping = false;
  let running: Promise<void> | null = null;

  function pollMs(): number {
    const idleMs = monotonic() - claimedAt;
    return longestSleep({ isShared: store.isShared, idleMs });
  }

  async function run(): Promise<void> {
    while (!stopping) {
      try {
        if (!areDueTimesLimited) {
          await limitDueTimes();
          areDueTimesLimited = true;
        }
        await sleep.sleep(await claimAndStart());
      } catch (error) {
        deps.onError(error);
        await sleep.sleep(POLL_MS);
      }
    }
  }

  /** Limits stored due times. An earlier process whose clock was ahead may have stored times that are too late. */
  async function limitDueTimes(): Promise<void> {
    const at = dueNow();
    await store.limitDueTimes({
      destination: destination.name,
      now: at,
      retryUntil: at + longestWait(scheduleMs),
      leaseUntil: at + attemptTimeoutMs + LEASE_MARGIN_MS,
    });
  }

  /** Starts the attempts that are due and allowed. Returns how long the worker may sleep, in milliseconds. */
  async function claimAndStart(): Promise<number> {
    if (await expireSome()) {
      return 0;
    }
    const at = monotonic();
    const free = destination.concurrency - inFlight.size;
    const open = paused || unsettled.size > 0 ? 0 : breaker.room(free, at);
    const room = rate === null ? open : rate.room(open);
    if (room <= 0) {
      // The end of an attempt and a resume wake the worker earlier.
      const { probeAt } = breaker.status(at);
      const waits = [(probeAt ?? at) - at, Math.ceil(rate?.waitMs() ?? 0)];
      return Math.min(POLL_MS, ...waits.filter((wait) => wait > 0));
    }
    if (!mayBeDue) {
      const dueAt = await store.nextDueAt(destination.name);
      const waitMs = dueAt === null ? POLL_MS : dueAt - dueNow();
      if (waitMs > 0) {
        return Math.min(pollMs(), waitMs);
      }
    }
    const isCertain = !mayBeDue;
    mayBeDue = false;
    // Read before the claim, because the breaker may open while the claim is in progress.
    const probed = breaker.probed();
    const claimed = await claim(room, probed);
    rate?.started(claimed.length);
    const [first] = claimed;
    if (first !== undefined) {
      claimedAt = monotonic();
    }
    const isProbe =
      probed !== null &&
      first !== undefined &&
      breaker.probeStarted(first.event.seq);
    for (const delivery of claimed) {
      start(delivery, isProbe);
    }
    mayBeDue ||= claimed.length === room;
    // When something is due but cannot be claimed now, the change that allows it wakes the worker, unless it happens in
    // another process.
    return claimed.length === 0 && isCertain ? pollMs() : 0;
  }

  /**
   * Exhausts one batch of deliveries that are older than `maxAge`, even while no attempts are made. Returns whether there
   * may be more.
   */
  async function expireSome(): Promise<boolean> {
    const { name, maxAgeMs } = destination;
    const at = ageNow?.() ?? null;
    if (maxAgeMs === undefined || at === null) {
      return false;
    }
    const expired = await store.expire({
      destination: name,
      now: at,
      pendingBefore: at - maxAgeMs,
      holding: new Set(inFlight.keys()),
    });
    // With `orderBy`, the next deliveries of their keys are now due.
    mayBeDue ||= expired > 0;
    return expired > 0;
  }

  async function claim(
    limit: number,
    probed: ClaimRequest["probed"],
  ): Promise<readonly ClaimedDelivery[]> {
    const at = dueNow();
    const request = {
      destination: destination.name,
      now: now(),
      dueUntil: at,
      limit,
      concurrency: destination.concurrency,
      rateLimit: destination.rateLimit ?? null,
      leaseUntil: at + attemptTimeoutMs + LEASE_MARGIN_MS,
      probed,
      holding: new Set(inFlight.keys()),
      kind: destination.kind,
    };
    if (quarantine === null) {
      return store.claim({ ...request, crashed: "any" });
    }
    const pass = quarantine.ask(sleep.wake);
    if (pass === "closed") {
      return [];
    }
    let claimed: readonly ClaimedDelivery[] = [];
    try {
      if (pass !== "repeatedly" && (await isRepeatCrashDue(request))) {
        quarantine.drain(sleep.wake);
        return [];
      }
      claimed = await store.claim({ ...request, crashed: pass });
    } finally {
      const crashes = Math.max(0, ...claimed.map((one) => one.crashes));
      quarantine.claimed(pass, claimed.length, crashLevelOf(crashes));
    }
    return claimed;
  }

  /**
   * Returns whether a delivery that crashed repeatedly is due. Such deliveries are rare: a process that does not crash
   * creates none. So the worker checks the store at most once a second.
   */
  async function isRepeatCrashDue(
    request: Parameters<WorkerDeps["store"]["isRepeatCrashDue"]>[0],
  ): Promise<boolean> {
    const checkedAt = monotonic();
    if (checkedAt - repeatCrashCheckedAt < POLL_MS) {
      return false;
    }
    repeatCrashCheckedAt = checkedAt;
    return store.isRepeatCrashDue({
      destination: destination.name,
      now: request.now,
      dueUntil: request.dueUntil,
    });
  }

  function start(delivery: ClaimedDelivery, isProbe: boolean): void {
    const attempt = deliver(delivery, isProbe).catch(deps.onError);
    inFlight.set(delivery.id, attempt);
    void attempt.finally(() => {
      inFlight.delete(delivery.id);
      quarantine?.ended(crashLevelOf(delivery.crashes));
      sleep.wake();
    });
  }

  async function deliver(
    delivery: ClaimedDelivery,
    isProbe: boolean,
  ): Promise<void> {
    const span = startAttemptSpan(delivery, destination);
    const startedAt = monotonic();
    const result = await withAttemptTimeout(
      (signal) =>
        span.run(() => destination.attempt(delivery, signal, span.traceparent)),
      { timeoutMs: attemptTimeoutMs, cutOff: cutOff.signal },
    );
    const isReleased = !result.ok && cutOff.signal.aborted;
    endAttemptSpan(span, isReleased ? null : result);
    const endedAt = now();
    const endedMonotonic = monotonic();
    const { seq: event } = delivery.event;
    const ended = { event, now: endedMonotonic, isProbe };
    if (isReleased) {
      breaker.ended("neutral", ended);
      await store.release(delivery.id, delivery.attempt, endedAt);
      return;
    }
    const failed = failedAttempt(delivery, result);
    if (failed !== null) {
      deps.onFailed(failed);
    }
    breaker.ended(verdictOf(result), ended);
    const next = settle({
      scheduledAttempt: delivery.scheduledAttempt,
      result,
      scheduleMs,
      now: endedAt,
      random: random(),
    });
    deps.onEnded(
      next.state === "pending" ? "failed" : next.state,
      endedMonotonic - startedAt,
    );
    const clockOffset = dueNow() - endedAt;
    const isWritten = await write({
      deliveryId: delivery.id,
      attempt: delivery.attempt,
      endedAt,
      result: withoutError(result),
      next:
        next.state === "pending"
          ? { ...next, dueAt: next.dueAt + clockOffset }
          : next,
      entry: outcomeEntry({ delivery, result, next, at: endedAt }),
      pause: requestedPause(destination.name, result, endedAt),
    });
    if (isWritten && failed !== null && next.state === "exhausted") {
      deps.onExhausted(failed);
    }
  }

  /**
   * Writes an outcome, with retries. While it cannot be written, the worker claims nothing, so a lease that ends in the
   * meantime still belongs to it. Returns false if the lease was lost.
   */
  async function write(settlement: Settlement): Promise<boolean> {
    const onError = (error: unknown): void => {
      unsettled.add(settlement);
      deps.onError(error);
    };
    try {
      const { settle } = store;
      return await settleWithRetry(
        { settle, onError },
        settlement,
        cutOff.signal,
      );
    } finally {
      unsettled.delete(settlement);
    }
  }

  return {
    start() {
      running ??= run();
    },
    wake() {
      mayBeDue = true;
      sleep.wake();
    },
    pause() {
      paused = true;
    },
    resume(by) {
      paused = false;
      if (by === "operator") {
        breaker.reset();
      }
      sleep.wake();
    },
    status() {
      const at = monotonic();
      const { probeAt, ...status } = breaker.status(at);
      const limitedMs = rate?.waitMs() ?? 0;
      return {
        inFlight: inFlight.size,
        paused,
        breaker: {
          ...status,
          probeAt: probeAt === null ? null : Math.round(now() + probeAt - at),
        },
        isRateLimited: limitedMs > 0,
        rateLimitedUntil: limitedMs > 0 ? Math.ceil(now() + limitedMs) : null,
      };
    },
    async stop(graceMs) {
      stopping = true;
      sleep.wake();
      await running;
      const deadline = setTimeout(() => {
        cutOff.abort();
      }, graceMs);
      await Promise.all(inFlight.values());
      clearTimeout(deadline);
      destination.close?.();
    },
  };
}

function failedAttempt(
  delivery: ClaimedDelivery,
  result: AttemptResult,
): FailedAttempt | null {
  return result.ok ? null : { ...attemptFacts(delivery), failure: result };
}

/** Returns the result for the store. The error that a handler threw is logged only. */
function withoutError(result: AttemptResult): AttemptResult {
  return result.ok ? result : { ...result, error: undefined };
}

/** Statuses that reject the event itself. The destination works, and other events may succeed. */
const EVENT_REJECTIONS = new Set([400, 406, 409, 410, 413, 415, 422]);

/** Returns what an attempt shows about the state of the destination. */
function verdictOf(result: AttemptResult): "succeeded" | "failed" {
  return result.ok || EVENT_REJECTIONS.has(result.status ?? 0)
    ? "succeeded"
    : "failed";
}

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
import { longestWait, settle } from "./settle.ts";
import type { DeliveryQueue } from "../store/port.ts";
import { createAgeClock } from "./age-clock.ts";
import { createInterruptibleSleep } from "../background/interruptible-sleep.ts";
import { withAttemptTimeout } from "./attempt-timeout.ts";
import type { AttemptRate } from "./attempt-rate.ts";
import type { CircuitBreaker } from "./circuit-breaker.ts";
import { outcomeEntry } from "../audit/delivery-entries.ts";
import { type Quarantine, crashLevelOf } from "./quarantine.ts";
import { pauseAskedFor } from "./pause-by-retry-after.ts";
import { settleWithRetry } from "./settle-with-retry.ts";

/** How long a worker sleeps at most: deliveries that another process made due are found by then. */
const POLL_MS = 1000;

/** A lease outlives the attempt by this much, so that the outcome can still be written. */
const LEASE_MARGIN_MS = 5000;

export interface Worker {
  /** Begins to claim; before that nothing is. */
  start: () => void;
  /** Says that a delivery may be due. */
  wake: () => void;
  /** Starts no further attempts until `resume`; those in flight continue. */
  pause: () => void;
  /** Starts attempts again; the breaker closes, unless the system ended the pause. */
  resume: (by: "operator" | "system") => void;
  status: () => WorkerStatus;
  /** Claims nothing more and waits for the attempts in flight; those past `graceMs` are aborted and released. */
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
  >;
  readonly destination: Destination;
  readonly breaker: CircuitBreaker;
  /** Limits attempts of deliveries that have crashed; null for a destination that cannot end the process. */
  readonly quarantine: Quarantine | null;
  /** Limits how many attempts start in a time; null = no limit. */
  readonly rate: AttemptRate | null;
  /** Unix milliseconds: for what is shown. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock: for the breaker. */
  readonly monotonic: () => number;
  /** The time that due times are judged by (`due-clock.ts`). */
  readonly dueNow: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Called before the breaker counts the failure. */
  readonly onFailed: (failed: FailedAttempt) => void;
  /** Called once it is durable that a failure was the last of its delivery. */
  readonly onExhausted: (failed: FailedAttempt) => void;
  /** Told of faults of the store; the worker goes on. */
  readonly onError: (error: unknown) => void;
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
  const { store, destination, breaker, quarantine, rate, random } = deps;
  const { now, monotonic, dueNow } = deps;
  const { scheduleMs, attemptTimeoutMs } = options;
  const sleep = createInterruptibleSleep();
  const ageNow =
    destination.maxAgeMs === undefined
      ? null
      : createAgeClock({ now, monotonic }, destination.maxAgeMs);
  /** By the delivery's id. */
  const inFlight = new Map<number, Promise<void>>();
  const cutOff = new AbortController();
  // Each attempt under way listens, and Node takes more than ten for a leak.
  setMaxListeners(0, cutOff.signal);
  /** Outcomes that could not be written so far. */
  const unsettled = new Set<Settlement>();
  /** Whether the due times were checked that processes before this one have stored. */
  let areDueTimesLimited = false;
  /** Whether to claim without asking first: something has become due, or the last claim was full. */
  let mayBeDue = true;
  /** When the store was last asked for deliveries that the process died over repeatedly. */
  let repeatCrashAskedAt = Number.NEGATIVE_INFINITY;
  let paused = false;
  let stopping = false;
  let running: Promise<void> | null = null;

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

  /** A process whose clock was ahead of this one's has left due times that nothing justifies. */
  async function limitDueTimes(): Promise<void> {
    const at = dueNow();
    await store.limitDueTimes({
      destination: destination.name,
      now: at,
      retryUntil: at + longestWait(scheduleMs),
      leaseUntil: at + attemptTimeoutMs + LEASE_MARGIN_MS,
    });
  }

  /** Starts what is due and there is room for; says how long there is nothing to do, in milliseconds. */
  async function claimAndStart(): Promise<number> {
    if (await expireSome()) {
      return 0;
    }
    const at = monotonic();
    const free = destination.concurrency - inFlight.size;
    const open = paused || unsettled.size > 0 ? 0 : breaker.room(free, at);
    const room = rate === null ? open : rate.room(open);
    if (room <= 0) {
      // The end of an attempt wakes, and so does resuming.
      const { probeAt } = breaker.status(at);
      const waits = [(probeAt ?? at) - at, Math.ceil(rate?.waitMs() ?? 0)];
      return Math.min(POLL_MS, ...waits.filter((wait) => wait > 0));
    }
    if (!mayBeDue) {
      const dueAt = await store.nextDueAt(destination.name);
      const waitMs = dueAt === null ? POLL_MS : dueAt - dueNow();
      if (waitMs > 0) {
        return Math.min(POLL_MS, waitMs);
      }
    }
    const isCertain = !mayBeDue;
    mayBeDue = false;
    // As it was when room was asked for: it may open while the claim is under way.
    const probed = breaker.probed();
    const claimed = await claim(room, probed);
    rate?.started(claimed.length);
    const [first] = claimed;
    const isProbe =
      probed !== null &&
      first !== undefined &&
      breaker.probeStarted(first.event.seq);
    for (const delivery of claimed) {
      start(delivery, isProbe);
    }
    mayBeDue ||= claimed.length === room;
    // Due, and not to be had now: whatever changes that wakes.
    return claimed.length === 0 && isCertain ? POLL_MS : 0;
  }

  /** One step of giving up what has been pending for too long, also while no attempts are made. True = there may be more. */
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
    // The next of their keys are due.
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

  /** A process that lives makes none of them, and no claim but one of its own takes one: so it is asked once a second. */
  async function isRepeatCrashDue(
    request: Parameters<WorkerDeps["store"]["isRepeatCrashDue"]>[0],
  ): Promise<boolean> {
    const askedAt = monotonic();
    if (askedAt - repeatCrashAskedAt < POLL_MS) {
      return false;
    }
    repeatCrashAskedAt = askedAt;
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
    const result = await withAttemptTimeout(
      (signal) => destination.attempt(delivery, signal),
      { timeoutMs: attemptTimeoutMs, cutOff: cutOff.signal },
    );
    const endedAt = now();
    const ended = { event: delivery.event.seq, now: monotonic(), isProbe };
    if (!result.ok && cutOff.signal.aborted) {
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
    const stepped = dueNow() - endedAt;
    const isWritten = await write({
      deliveryId: delivery.id,
      attempt: delivery.attempt,
      endedAt,
      result: withoutError(result),
      next:
        next.state === "pending"
          ? { ...next, dueAt: next.dueAt + stepped }
          : next,
      entry: outcomeEntry({ delivery, result, next, at: endedAt }),
      pause: pauseAskedFor(destination.name, result, endedAt),
    });
    if (isWritten && failed !== null && next.state === "exhausted") {
      deps.onExhausted(failed);
    }
  }

  /**
   * While an outcome cannot be written, nothing is claimed: a lease that lapses meanwhile is still ours. False when the lease
   * was lost.
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

/** What the store gets: what a handler threw is for the log alone. */
function withoutError(result: AttemptResult): AttemptResult {
  return result.ok ? result : { ...result, error: undefined };
}

/** Answers that judge the event and not the destination, which is up: others may well succeed. */
const OF_THE_EVENT = new Set([400, 406, 409, 410, 413, 415, 422]);

/** What an attempt says of the destination. */
function verdictOf(result: AttemptResult): "succeeded" | "failed" {
  return result.ok || OF_THE_EVENT.has(result.status ?? 0)
    ? "succeeded"
    : "failed";
}

import { isDeepStrictEqual } from "node:util";
import type { Destination, RateLimit } from "../domain/destination.ts";
import type { FailedAttempt } from "../domain/delivery.ts";
import type {
  DestinationStatus,
  ServedDestination,
} from "./destination-status.ts";
import type { Control, DeliveryQueue } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";
import { reportsFailures } from "../telemetry/telemetry.ts";
import { createInterval } from "../background/interval.ts";
import { type AttemptRate, createAttemptRate } from "./attempt-rate.ts";
import { createCircuitBreaker } from "./circuit-breaker.ts";
import { createDueClock } from "./due-clock.ts";
import { createPauses } from "./pauses.ts";
import { createQuarantine } from "./quarantine.ts";
import { createWorker, type Worker } from "./worker.ts";

/** Failures in a row after which a breaker opens, the events that they are of at least, and the longest wait for a probe. */
const BREAKER_THRESHOLD = 5;
const BREAKER_MIN_EVENTS = 3;
const MAX_PROBE_WAIT_MS = 60_000;

/** An attempt ends by its timeout; its outcome may take this much longer to be written. */
const RETIRING_MARGIN_MS = 1000;

/** How often it is looked up which destinations are paused: another process on the same store may have done it. */
const REFRESH_MS = 1000;

/** All destinations with their workers. */
export interface Dispatcher {
  /** Reads which destinations are paused; to be called once before `start`. */
  load: () => Promise<void>;
  /** Begins to claim. */
  start: () => void;
  /** Deliveries to these destinations may be due. */
  wake: (destinations: Iterable<string>) => void;
  status: () => Promise<readonly DestinationStatus[]>;
  /** Those that are served now, without a look into the store. */
  served: () => readonly ServedDestination[];
  /** Starts no further attempts, over restarts too, until it is resumed. False when there is no such destination. */
  pause: (name: string, operator: string) => Promise<boolean>;
  /** Resumes, with the breaker closed. False when there is no such destination. */
  resume: (name: string, operator: string) => Promise<boolean>;
  /**
   * Serves other destinations from now on: those `removed` get no further attempt. Those `added` begin; under a name that
   * was removed, once its last attempt has ended.
   */
  replace: (change: {
    readonly removed: readonly string[];
    readonly added: readonly Destination[];
  }) => void;
  stop: (graceMs: number) => Promise<void>;
}

export interface DispatcherDeps {
  readonly store: DeliveryQueue &
    Pick<Control, "pausedDestinations" | "setPaused" | "endPause">;
  readonly destinations: readonly Destination[];
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly emit: Emit;
}

/** Makes a worker for each destination. One that is paused stays so over restarts. `options` are the defaults. */
export function createDispatcher(
  deps: DispatcherDeps,
  options: { retryScheduleMs: readonly number[]; attemptTimeoutMs: number },
): Dispatcher {
  const { store, now, monotonic, random, emit } = deps;
  const onError = reportsFailures(emit);
  const dueNow = createDueClock(deps);
  const quarantine = createQuarantine();
  const pauses = createPauses({ ...deps, onChange: applyPause });
  /** By name: a destination that is replaced keeps to what was begun before, unless its limit is another one. */
  const rates = new Map<string, { limit: RateLimit; rate: AttemptRate }>();
  const workers = new Map<string, { destination: Destination; worker: Worker }>(
    deps.destinations.map((destination) => [
      destination.name,
      { destination, worker: workerOf(destination) },
    ]),
  );
  /** Of destinations that were replaced: their last attempts are under way. */
  const retiring = new Set<Worker>();
  /** By name: resolves when no attempt is under way there that a worker before the present one has begun. */
  const retired = new Map<string, Promise<unknown>>();
  let started = false;
  let stopping = false;

  function rateOf({ name, rateLimit: limit }: Destination): AttemptRate | null {
    const known = rates.get(name);
    if (limit === undefined) {
      return null;
    }
    if (known !== undefined && isDeepStrictEqual(known.limit, limit)) {
      return known.rate;
    }
    const rate = createAttemptRate(limit, { monotonic });
    rates.set(name, { limit, rate });
    return rate;
  }

  function timeoutOf({ attemptTimeoutMs }: Destination): number {
    return attemptTimeoutMs ?? options.attemptTimeoutMs;
  }

  function workerOf(destination: Destination): Worker {
    const scheduleMs = destination.retryScheduleMs ?? options.retryScheduleMs;
    // A breaker's probes keep to the schedule of retries, so that there is one thing to set.
    const waitsMs = scheduleMs.map((wait) => Math.min(wait, MAX_PROBE_WAIT_MS));
    let last: FailedAttempt | null = null;
    return createWorker(
      {
        store: { ...store, settle: pauses.settle },
        destination,
        breaker: createCircuitBreaker({
          threshold: BREAKER_THRESHOLD,
          minEvents: BREAKER_MIN_EVENTS,
          waitsMs,
          onChange: (state) => {
            const { name } = destination;
            emit(
              state === "open"
                ? { type: "breaker.opened", destination: name, last }
                : { type: "breaker.closed", destination: name },
            );
          },
        }),
        quarantine: destination.kind === "handler" ? quarantine : null,
        rate: rateOf(destination),
        now,
        monotonic,
        dueNow,
        random,
        onFailed: (failed) => {
          last = failed;
        },
        onExhausted: (failed) => {
          emit({ type: "delivery.exhausted", ...failed });
        },
        onError,
      },
      { scheduleMs, attemptTimeoutMs: timeoutOf(destination) },
    );
  }

  /** Resolves when the last attempt there has ended; one that takes longer than `graceMs` is released. */
  async function retire(name: string, graceMs: number): Promise<void> {
    const retired = workers.get(name);
    workers.delete(name);
    if (retired !== undefined) {
      const { destination, worker } = retired;
      retiring.add(worker);
      const timeoutMs = Math.min(timeoutOf(destination), graceMs);
      await worker.stop(timeoutMs + RETIRING_MARGIN_MS);
      retiring.delete(worker);
    }
  }

  const refreshing = createInterval(pauses.refresh, {
    everyMs: REFRESH_MS,
    onError,
  });

  /** Has a worker know whether its destination is paused. */
  function applyPause(name: string, by: "operator" | "system"): void {
    const worker = workers.get(name)?.worker;
    const pause = pauses.pauseOf(name);
    const isPaused = pause !== undefined;
    if (worker === undefined || worker.status().paused === isPaused) {
      return;
    }
    if (isPaused) {
      const until =
        pause.until === null ? null : new Date(pause.until).toISOString();
      emit({
        type: "destination.paused",
        destination: name,
        by: pause.by,
        until,
      });
      worker.pause();
    } else {
      emit({ type: "destination.resumed", destination: name });
      worker.resume(by);
    }
  }

  async function setPaused(
    name: string,
    operator: string,
    paused: boolean,
  ): Promise<boolean> {
    if (!workers.has(name)) {
      return false;
    }
    await pauses.setPaused(name, operator, paused);
    if (!paused) {
      // One that was not paused, too: its breaker closes.
      workers.get(name)?.worker.resume("operator");
    }
    return true;
  }

  return {
    async load() {
      await pauses.refresh();
      await refreshing.start();
    },
    start() {
      started = true;
      for (const { worker } of workers.values()) {
        worker.start();
      }
    },
    wake(destinations) {
      for (const name of destinations) {
        workers.get(name)?.worker.wake();
      }
    },
    async status() {
      const counts = await store.countDeliveries();
      const paused = await store.pausedDestinations();
      const names = new Set([
        ...workers.keys(),
        ...counts.map(({ destination }) => destination),
      ]);
      return [...names].map((name) => {
        const known = workers.get(name);
        const count = counts.find(({ destination }) => destination === name);
        return {
          name,
          destination: known?.destination ?? null,
          worker: known?.worker.status() ?? null,
          paused: paused.find((one) => one.name === name) ?? null,
          pending: count?.pending ?? 0,
          exhausted: count?.exhausted ?? 0,
        };
      });
    },
    served: () =>
      [...workers.values()].map(({ destination, worker }) => ({
        destination,
        worker: worker.status(),
      })),
    pause: (name, operator) => setPaused(name, operator, true),
    resume: (name, operator) => setPaused(name, operator, false),
    replace({ removed, added }) {
      for (const name of removed) {
        const next = added.find((destination) => destination.name === name);
        // The new one waits: not longer than one of its own attempts may take.
        const graceMs = next === undefined ? Infinity : timeoutOf(next);
        const all = Promise.all([retired.get(name), retire(name, graceMs)]);
        retired.set(name, all);
        all.catch(onError);
      }
      for (const destination of added) {
        const { name } = destination;
        const worker = workerOf(destination);
        workers.set(name, { destination, worker });
        const begin = async (): Promise<void> => {
          await retired.get(name);
          // Without it what was known a second ago holds: a store that cannot be written must not end a destination.
          await pauses.refresh().catch(onError);
          applyPause(name, "system");
          // Meanwhile it may have been replaced itself.
          if (started && !stopping && workers.get(name)?.worker === worker) {
            worker.start();
          }
        };
        begin().catch(onError);
      }
    },
    async stop(graceMs) {
      stopping = true;
      const all = [...workers.values()].map(({ worker }) => worker);
      await Promise.all([
        refreshing.stop(),
        ...[...all, ...retiring].map((worker) => worker.stop(graceMs)),
      ]);
    },
  };
}

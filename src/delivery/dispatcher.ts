import { isDeepStrictEqual } from "node:util";
import type { Destination, RateLimit } from "../domain/destination.ts";
import type { FailedAttempt } from "../domain/delivery.ts";
import type {
  DestinationStatus,
  ServedDestination,
} from "./destination-status.ts";
import type { Control, DeliveryQueue, Store } from "../store/port.ts";
import type { Emit } from "../telemetry/happening.ts";
import { reportsFailures } from "../telemetry/telemetry.ts";
import { createInterval } from "../background/interval.ts";
import { type AttemptRate, createAttemptRate } from "./attempt-rate.ts";
import { createCircuitBreaker } from "./circuit-breaker.ts";
import { createDueClock } from "./due-clock.ts";
import { createPauses } from "./pauses.ts";
import { createQuarantine } from "./quarantine.ts";
import { createWorker, type Worker } from "./worker.ts";

/** A breaker opens after this many consecutive failures of at least this many events. The longest wait for a probe is a minute. */
const BREAKER_THRESHOLD = 5;
const BREAKER_MIN_EVENTS = 3;
const MAX_PROBE_WAIT_MS = 60_000;

/** How long a replaced worker may take after the timeout of its last attempt to write the outcome. */
const RETIRING_MARGIN_MS = 1000;

/** How often the dispatcher reads which destinations are paused. Another process on the same store may have paused one. */
const REFRESH_MS = 1000;

/** Runs a worker for each destination. */
export interface Dispatcher {
  /** Reads which destinations are paused. Must be called once before `start`. */
  load: () => Promise<void>;
  /** Starts claiming deliveries. */
  start: () => void;
  /** Notifies the workers of these destinations that deliveries may be due. */
  wake: (destinations: Iterable<string>) => void;
  /** Returns every configured destination, and every other one that has deliveries in the store. */
  status: () => Promise<readonly DestinationStatus[]>;
  /** Returns the destinations that this process serves, without reading the store. */
  served: () => readonly ServedDestination[];
  /**
   * Starts no attempts until the destination is resumed, even after a restart. Returns false if there is no such
   * destination.
   */
  pause: (name: string, operator: string) => Promise<boolean>;
  /** Resumes the destination and closes its breaker. Returns false if there is no such destination. */
  resume: (name: string, operator: string) => Promise<boolean>;
  /**
   * Replaces destinations. Those in `removed` get no further attempt. Those in `added` start now, or when the last attempt
   * of a removed destination with the same name has ended.
   */
  replace: (change: {
    readonly removed: readonly string[];
    readonly added: readonly Destination[];
  }) => void;
  stop: (graceMs: number) => Promise<void>;
}

export interface DispatcherDeps {
  readonly store: DeliveryQueue &
    Pick<Control, "pausedDestinations" | "setPaused" | "endPause"> &
    Pick<Store, "isShared">;
  readonly destinations: readonly Destination[];
  /** Unix milliseconds of the store's clock, because due times and pauses apply to all processes of the store. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly emit: Emit;
}

/** Creates a dispatcher with a worker for each destination. `options` apply to destinations that do not set their own. */
export function createDispatcher(
  deps: DispatcherDeps,
  options: { retryScheduleMs: readonly number[]; attemptTimeoutMs: number },
): Dispatcher {
  const { store, now, monotonic, random, emit } = deps;
  const onError = reportsFailures(emit);
  const dueNow = createDueClock(deps);
  const quarantine = createQuarantine();
  const pauses = createPauses({ ...deps, onChange: applyPause });
  /** By name. A replaced destination with the same limit keeps its rate, so that earlier attempts still count. */
  const rates = new Map<string, { limit: RateLimit; rate: AttemptRate }>();
  const workers = new Map<string, { destination: Destination; worker: Worker }>(
    deps.destinations.map((destination) => [
      destination.name,
      { destination, worker: workerOf(destination) },
    ]),
  );
  /** Workers of removed destinations whose last attempts are in flight. */
  const retiring = new Set<Worker>();
  /** By name: resolves when no attempt of an earlier worker is in flight. */
  const retired = new Map<string, Promise<unknown>>();
  let started = false;
  let stopping = false;

  function rateOf({ name, rateLimit: limit }: Destination): AttemptRate | null {
    const existing = rates.get(name);
    if (limit === undefined) {
      return null;
    }
    if (existing !== undefined && isDeepStrictEqual(existing.limit, limit)) {
      return existing.rate;
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
    // Probes use the retry schedule, so that an operator sets only one value.
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
        onEnded: (result, durationMs) => {
          const { name } = destination;
          emit({
            type: "attempt.ended",
            destination: name,
            result,
            durationMs,
          });
        },
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

  /** Stops the worker of a destination. Resolves when its last attempt has ended or was released after `graceMs`. */
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

  /** Pauses or resumes the worker of a destination when its pause has changed. */
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
      // This closes the breaker even when the destination was not paused.
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
      // Each start begins with another worker. A delivery that ends the process every time must not always be attempted before
      // those of other destinations.
      const all = [...workers.values()];
      const first = Math.floor(random() * all.length);
      for (const { worker } of [...all.slice(first), ...all.slice(0, first)]) {
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
        const configured = workers.get(name);
        const count = counts.find(({ destination }) => destination === name);
        return {
          name,
          destination: configured?.destination ?? null,
          worker: configured?.worker.status() ?? null,
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
        // The new worker waits for the old one, but no longer than its own attempt timeout.
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
          // If this fails, the pauses of the last refresh apply. A failing store must not keep the destination from starting.
          await pauses.refresh().catch(onError);
          applyPause(name, "system");
          // This worker may have been replaced while it waited.
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

import type { SinkPosition } from "../../store/records.ts";
import { setTimeout as delay } from "node:timers/promises";
import { createInterruptibleSleep } from "../../background/interruptible-sleep.ts";
import type { AuditDraft } from "../entry.ts";
import { waitAfterAttempt } from "../../domain/backoff.ts";
import { MAX_RETRY_AFTER_MS } from "../../domain/retry-after.ts";
import type { Control, Store } from "../../store/port.ts";
import { type AuditSink, SinkError, type SinkRow } from "./sink.ts";
import { createSinkHealth } from "./sink-health.ts";
import {
  createSinkProgress,
  SinkLeaseLost,
  type ProgressStore,
} from "./sink-progress.ts";

/** The waits of a pump, in milliseconds. */
export interface SinkTimes {
  /** How often it reads entries of other processes. */
  readonly poll: number;
  /** The waits after failures, ±20 %. The last one repeats. Not empty. */
  readonly retryWaits: readonly number[];
  /** A write that takes longer than this makes the sink stuck. */
  readonly stuck: number;
}

const TIMES: SinkTimes = {
  poll: 1000,
  retryWaits: [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000],
  stuck: 10_000,
};

/** After this many accepted batches in a row, a batch limit that was reduced is doubled. */
const GROW_AFTER = 10;

export interface SinkPumpDeps {
  readonly store: ProgressStore &
    Pick<Control, "holdLease"> &
    Pick<Store, "isShared">;
  readonly sink: AuditSink;
  /** The saved position of the sink at startup. */
  readonly initial: SinkPosition;
  /** Reports a change of the sink's health. */
  readonly report: (draft: AuditDraft) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onError: (error: unknown) => void;
  /** Waits that differ from the defaults. */
  readonly times?: Partial<SinkTimes>;
}

export interface SinkPump {
  readonly sink: Pick<AuditSink, "name" | "shared">;
  /** Returns the state of the sink; null = another process feeds it. */
  readonly status: () => Pick<
    SinkPosition,
    "position" | "degradedSince"
  > | null;
  /** Starts the next read at once, because the store may have new entries. */
  readonly wake: () => void;
  /** Writes the remaining entries until a write fails or `withinMs` has passed. Then it saves the position and ends. */
  readonly stop: (withinMs: number) => Promise<void>;
}

/**
 * Feeds a sink with the trail from the store, in order, starting at its saved position. A sink that is slow, stuck or closed
 * delays no other part, and needs no more memory than one batch.
 */
export function startSinkPump(deps: SinkPumpDeps): SinkPump {
  const { store, sink, now, random, onError } = deps;
  const times = { ...TIMES, ...deps.times };
  const health = createSinkHealth(sink.name, deps);
  // The health of a sink that is not shared ends with this process, so it is not saved.
  const progress = createSinkProgress(store, sink, deps.initial, () =>
    sink.shared ? health.degradedSince() : null,
  );
  const sleep = createInterruptibleSleep();
  /** Aborts when `stop` is called. It ends every wait. */
  const ending = new AbortController();
  /** Aborts at the end of `stop`. It also ends a write in progress. */
  const ended = new AbortController();
  /**
   * The maximum number of entries in a batch. It is lower than the sink's own maximum after the sink has rejected a batch as
   * too large.
   */
  let limit = sink.maxRows;
  let failures = 0;
  let successes = 0;
  /** Whether this process feeds the sink. If not, it must not overwrite the position that another process saves. */
  let isFeeder = !sink.shared;

  async function run(): Promise<void> {
    let isRunning = true;
    let isReported = false;
    while (isRunning && !ended.signal.aborted) {
      try {
        isRunning = await feed();
        isReported = false;
      } catch (error) {
        if (error instanceof SinkLeaseLost) {
          isFeeder = false;
          continue;
        }
        // The store could not be read or written. The store also reports this failure itself.
        if (!isReported) {
          onError(error);
        }
        isReported = true;
        isRunning = !ending.signal.aborted;
        await pause(times.poll);
      }
    }
  }

  /**
   * Returns whether this process feeds the sink. It tries to become the feeder of a shared sink, and resumes where the last
   * feeder stopped. On a shared store it can lose that role to another process.
   */
  async function mayFeed(): Promise<boolean> {
    if (sink.shared && (!isFeeder || store.isShared)) {
      const isHeld = await store.holdLease("sinks");
      if (isHeld && !isFeeder) {
        health.resume(await progress.load());
      }
      isFeeder = isHeld;
    }
    return isFeeder;
  }

  /** Writes one batch, or waits for entries. Returns false when the pump must end. */
  async function feed(): Promise<boolean> {
    // Read before the entries: those that were committed before `stop` must be found after it.
    const isEnding = ending.signal.aborted;
    const rows = (await mayFeed()) ? await nextBatch() : [];
    const last = rows.at(-1);
    if (last === undefined) {
      if (isFeeder) {
        await progress.saveIfDue();
      }
      if (!isEnding) {
        await (isFeeder ? sleep.sleep(times.poll) : pause(times.poll));
      }
      return !isEnding;
    }
    const failure = await write(rows);
    if (ended.signal.aborted) {
      return false;
    }
    if (failure === null) {
      failures = 0;
      successes += 1;
      if (successes % GROW_AFTER === 0) {
        limit = Math.min(sink.maxRows, limit * 2);
      }
      progress.accepted(last.position, rows.length);
      health.worked(last.position);
      await progress.saveIfDue();
      return true;
    }
    if (failure.tooLarge && rows.length > 1) {
      limit = Math.ceil(rows.length / 2);
      successes = 0;
      progress.cancelSending();
      return true;
    }
    failures += 1;
    health.failed(failure, { position: progress.position(), since: now() });
    // The save also shows the retention that the sink is in use, so that the retention keeps the entries that the sink still
    // needs.
    await progress.saveIfDue();
    if (failure.kind === "final" || ending.signal.aborted) {
      return false;
    }
    await pause(waitAfter(failure));
    return true;
  }

  async function nextBatch(): Promise<readonly SinkRow[]> {
    const position = progress.position();
    const sending = progress.sending();
    if (sending > position) {
      const repeated = await store.readAudit(position, sending - position);
      return repeated.filter((row) => row.position <= sending);
    }
    let rows = await store.readAudit(position, limit);
    if (sink.lingerMs > 0 && rows.length > 0 && rows.length < limit) {
      await pause(sink.lingerMs);
      rows = await store.readAudit(position, limit);
    }
    rows = withinBytes(rows, sink.maxBytes);
    if (sink.exact && rows.length > 0) {
      await progress.startSending(rows.at(-1)?.position ?? position);
    }
    return rows;
  }

  /** Writes entries to the sink. Returns its error; null = it has accepted them. */
  async function write(rows: readonly SinkRow[]): Promise<SinkError | null> {
    const since = now();
    let isStuck = false;
    const stuck = setInterval(() => {
      if (ended.signal.aborted) {
        clearInterval(stuck);
      } else if (isStuck) {
        health.remind();
      } else {
        isStuck = true;
        const failure = new SinkError("stuck", { kind: "blocked" });
        health.failed(failure, { position: progress.position(), since });
      }
    }, times.stuck).unref();
    try {
      await sink.write(rows, ended.signal);
      return null;
    } catch (error) {
      if (error instanceof SinkError) {
        return error;
      }
      onError(error);
      return new SinkError("fault");
    } finally {
      clearInterval(stuck);
    }
  }

  function waitAfter({ retryAfterMs }: SinkError): number {
    const { retryWaits } = times;
    const step = Math.min(failures, retryWaits.length);
    const wait = waitAfterAttempt(step, retryWaits, random()) ?? times.poll;
    return Math.max(wait, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }

  async function pause(milliseconds: number): Promise<void> {
    if (!ending.signal.aborted) {
      const { signal } = ending;
      await delay(milliseconds, undefined, { signal }).catch(() => undefined);
    }
  }

  const running = run().catch(onError);

  return {
    sink,
    status: () =>
      isFeeder
        ? {
            position: progress.position(),
            degradedSince: health.degradedSince(),
          }
        : null,
    wake: sleep.wake,
    async stop(withinMs) {
      ending.abort();
      sleep.wake();
      const timeout = delay(withinMs, undefined, { ref: false });
      await Promise.race([running, timeout]);
      ended.abort();
      if (isFeeder) {
        await progress.save().catch(ignoreLoss);
      }
      await sink.close?.();
    },
  };
}

function ignoreLoss(error: unknown): void {
  if (!(error instanceof SinkLeaseLost)) {
    throw error;
  }
}

/** Returns the first rows that together fit into `maxBytes`, and at least one. */
function withinBytes(
  rows: readonly SinkRow[],
  maxBytes: number,
): readonly SinkRow[] {
  let bytes = 0;
  const end = rows.findIndex(({ line }) => {
    bytes += line.length + 1;
    return bytes > maxBytes;
  });
  return end === -1 ? rows : rows.slice(0, Math.max(end, 1));
}

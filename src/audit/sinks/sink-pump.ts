import type { SinkPosition } from "../../store/records.ts";
import { setTimeout as delay } from "node:timers/promises";
import { createInterruptibleSleep } from "../../background/interruptible-sleep.ts";
import type { AuditDraft } from "../entry.ts";
import { waitAfterAttempt } from "../../domain/backoff.ts";
import { MAX_RETRY_AFTER_MS } from "../../domain/retry-after.ts";
import type { Control } from "../../store/port.ts";
import { type AuditSink, SinkFault, type SinkRow } from "./sink.ts";
import { createSinkHealth } from "./sink-health.ts";
import { createSinkProgress, type ProgressStore } from "./sink-progress.ts";

/** How long a pump waits, in milliseconds. */
export interface SinkTimes {
  /** How often it looks for entries that other processes have written. */
  readonly poll: number;
  /** After failures, ±20 %; the last one is repeated. Not empty. */
  readonly retryWaits: readonly number[];
  /** A sink that has not taken a batch for this long is stuck. */
  readonly stuck: number;
}

const TIMES: SinkTimes = {
  poll: 1000,
  retryWaits: [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000],
  stuck: 10_000,
};

/** After so many batches in a row that a sink has taken it may well take larger ones again. */
const GROW_AFTER = 10;

export interface SinkPumpDeps {
  readonly store: ProgressStore & Pick<Control, "tryLeaseSinks">;
  readonly sink: AuditSink;
  /** Where the sink was when this process came. */
  readonly noted: SinkPosition;
  /** Reports a change of the sink's health. */
  readonly report: (draft: AuditDraft) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onError: (error: unknown) => void;
  /** Those left out have their defaults. */
  readonly times?: Partial<SinkTimes>;
}

export interface SinkPump {
  /** Says that the store may have more. */
  readonly wake: () => void;
  /**
   * Hands over what the store has, for as long as that goes well and `withinMs` lasts, notes how far it has come, and
   * ends.
   */
  readonly stop: (withinMs: number) => Promise<void>;
}

/**
 * Feeds a sink with the trail out of the store, in order, from where it was: a sink that is slow, stuck or gone holds up
 * nothing, and takes no more memory than one batch.
 */
export function startSinkPump(deps: SinkPumpDeps): SinkPump {
  const { store, sink, now, random, onError } = deps;
  const times = { ...TIMES, ...deps.times };
  const health = createSinkHealth(sink.name, deps);
  // Where each process feeds its own, its health ends with it.
  const progress = createSinkProgress(store, sink, deps.noted, () =>
    sink.shared ? health.degradedSince() : null,
  );
  const sleep = createInterruptibleSleep();
  /** Aborts when it is to end: from then on no wait is waited for. */
  const ending = new AbortController();
  /** Aborts when it is over, whatever is under way. */
  const over = new AbortController();
  /** Fewer than the sink says, once it has found that too many. */
  let limit = sink.maxRows;
  let failures = 0;
  let successes = 0;
  /** What another process has noted is not written over. */
  let turn = !sink.shared;

  async function run(): Promise<void> {
    let going = true;
    let told = false;
    while (going && !over.signal.aborted) {
      try {
        going = await feed();
        told = false;
      } catch (error) {
        // The store could not be read or written; what is wrong with it has an entry of its own.
        if (!told) {
          onError(error);
        }
        told = true;
        going = !ending.signal.aborted;
        await pause(times.poll);
      }
    }
  }

  /** Where processes share the sink, one of them has its turn for as long as it lives, and touches it only then. */
  async function hasTurn(): Promise<boolean> {
    if (!turn && sink.shared && (await store.tryLeaseSinks())) {
      health.resume(await progress.load());
      turn = true;
    }
    return turn;
  }

  /** One batch, or a wait for one. False when there is nothing to go on for. */
  async function feed(): Promise<boolean> {
    const rows = (await hasTurn()) ? await nextBatch() : [];
    const last = rows.at(-1);
    if (last === undefined) {
      if (turn) {
        await progress.saveNowAndThen();
      }
      if (!ending.signal.aborted) {
        await (turn ? sleep.sleep(times.poll) : pause(times.poll));
        return true;
      }
      return false;
    }
    const fault = await handOver(rows);
    if (over.signal.aborted) {
      return false;
    }
    if (fault === null) {
      failures = 0;
      successes += 1;
      if (successes % GROW_AFTER === 0) {
        limit = Math.min(sink.maxRows, limit * 2);
      }
      progress.took(last.position, rows.length);
      health.worked(last.position);
      await progress.saveNowAndThen();
      return true;
    }
    if (fault.tooLarge && rows.length > 1) {
      limit = Math.ceil(rows.length / 2);
      successes = 0;
      progress.takesBack();
      return true;
    }
    failures += 1;
    health.failed(fault, { position: progress.position(), since: now() });
    // Also for the retention, which keeps what a sink has not had that somebody feeds.
    await progress.saveNowAndThen();
    if (fault.kind === "final" || ending.signal.aborted) {
      return false;
    }
    await pause(waitAfter(fault));
    return true;
  }

  async function nextBatch(): Promise<readonly SinkRow[]> {
    const position = progress.position();
    const sending = progress.sending();
    if (sending > position) {
      const again = await store.readAudit(position, sending - position);
      return again.filter((row) => row.position <= sending);
    }
    let rows = await store.readAudit(position, limit);
    if (sink.lingerMs > 0 && rows.length > 0 && rows.length < limit) {
      await pause(sink.lingerMs);
      rows = await store.readAudit(position, limit);
    }
    rows = withinBytes(rows, sink.maxBytes);
    if (sink.exact && rows.length > 0) {
      await progress.sends(rows.at(-1)?.position ?? position);
    }
    return rows;
  }

  /** What the sink says against them; null when it has taken them. */
  async function handOver(rows: readonly SinkRow[]): Promise<SinkFault | null> {
    const since = now();
    let isStuck = false;
    const stuck = setInterval(() => {
      if (over.signal.aborted) {
        clearInterval(stuck);
      } else if (isStuck) {
        health.remind();
      } else {
        isStuck = true;
        const fault = new SinkFault("stuck", { kind: "blocked" });
        health.failed(fault, { position: progress.position(), since });
      }
    }, times.stuck).unref();
    try {
      await sink.write(rows, over.signal);
      return null;
    } catch (error) {
      if (error instanceof SinkFault) {
        return error;
      }
      onError(error);
      return new SinkFault("fault");
    } finally {
      clearInterval(stuck);
    }
  }

  function waitAfter({ retryAfterMs }: SinkFault): number {
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
    wake: sleep.wake,
    async stop(withinMs) {
      ending.abort();
      sleep.wake();
      const late = delay(withinMs, undefined, { ref: false });
      await Promise.race([running, late]);
      over.abort();
      if (turn) {
        await progress.save();
      }
      await sink.close?.();
    },
  };
}

/** The first of them that together have no more than so many bytes; one in any case. */
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

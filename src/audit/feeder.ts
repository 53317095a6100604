import { setTimeout as delay } from "node:timers/promises";
import { createAlarm } from "../alarm.ts";
import { type AuditDraft } from "../core/audit-entry.ts";
import { waitAfterAttempt } from "../core/backoff.ts";
import { type AuditReader, type AuditRow, type Store } from "../core/store.ts";
import { type AuditSink, SinkFault, type SinkName } from "./sink.ts";
import { createSinkHealth } from "./sink-health.ts";

/** How often the store is looked at for what others have written there, in milliseconds. */
const POLL_MS = 1000;

/** How far a sink has come is noted so long after the last time, or so many entries, whichever comes first. */
const SAVE_EVERY_MS = 1000;
const SAVE_EVERY_ROWS = 500;

/** Waits after failures, ±20 %; the last one is that of all further ones. */
const WAITS_MS = [500, 1000, 2000, 4000, 8000, 15_000, 30_000, 60_000];
const MAX_RETRY_AFTER_MS = 3_600_000;

/** A sink that has not taken what it was handed for so long is stuck, in milliseconds. */
const STUCK_MS = 10_000;

export interface FeederDeps {
  readonly store: Pick<AuditReader, "readAudit"> &
    Pick<Store, "sinkPosition" | "saveSinkPosition" | "mayFeed">;
  readonly sink: AuditSink;
  /** Where a sink begins that the store does not know yet. */
  readonly from: number;
  /** Writes an entry about the sink; nobody waits for it. */
  readonly tell: (draft: AuditDraft) => void;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly onFault: (error: unknown) => void;
}

export interface Feeder {
  readonly name: SinkName;
  /** Says that the store may have more. */
  readonly wake: () => void;
  /** Everything up to this position was taken. */
  readonly position: () => number;
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
export async function startFeeder(deps: FeederDeps): Promise<Feeder> {
  const { store, sink, random, onFault } = deps;
  const health = createSinkHealth(sink.name, deps);
  const alarm = createAlarm();
  /** Aborts when it is to end: from then on no wait is waited for. */
  const ending = new AbortController();
  /** Aborts when it is over, whatever is under way. */
  const over = new AbortController();
  let { position, sending } = await known();
  let saved = { position, sending };
  let savedAt = 0;
  let unsaved = 0;
  let limit = sink.maxRows;
  let failures = 0;

  /** What the store knows; a sink that is new to it is noted, so that it begins there whatever happens. */
  async function known() {
    const noted = await store.sinkPosition(sink.name);
    if (noted !== null) {
      return noted;
    }
    const fresh = { position: deps.from, sending: deps.from };
    await store.saveSinkPosition(sink.name, fresh);
    return fresh;
  }

  async function run(): Promise<void> {
    if (!(await waitForTurn())) {
      return;
    }
    let going = true;
    let told = false;
    while (going && !over.signal.aborted) {
      try {
        going = await feed();
        told = false;
      } catch (error) {
        // The store could not be read or written; what is wrong with it has an entry of its own.
        if (!told) {
          onFault(error);
        }
        told = true;
        going = !ending.signal.aborted;
        await pause(POLL_MS);
      }
    }
  }

  /** Where processes share the sink: waits until this one may feed it. */
  async function waitForTurn(): Promise<boolean> {
    while (sink.shared !== "each" && !(await store.mayFeed())) {
      if (ending.signal.aborted) {
        return false;
      }
      await pause(POLL_MS);
    }
    ({ position, sending } = await known());
    return true;
  }

  /** One batch, or a wait for one. False when there is nothing to go on for. */
  async function feed(): Promise<boolean> {
    const rows = await nextBatch();
    if (rows.length === 0) {
      await saveNowAndThen(0);
      if (ending.signal.aborted) {
        return false;
      }
      await alarm.wait(POLL_MS);
      return true;
    }
    const fault = await handOver(rows);
    if (over.signal.aborted) {
      return false;
    }
    if (fault === null) {
      failures = 0;
      position = rows.at(-1)?.position ?? position;
      sending = position;
      health.worked(position);
      await saveNowAndThen(rows.length);
      return true;
    }
    if (fault.tooLarge && rows.length > 1) {
      limit = Math.ceil(rows.length / 2);
      sending = position;
      return true;
    }
    failures += 1;
    health.failed(fault, position);
    if (fault.kind === "final" || ending.signal.aborted) {
      return false;
    }
    await pause(waitAfter(fault));
    return true;
  }

  async function nextBatch(): Promise<readonly AuditRow[]> {
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
    if (sink.shared === "exact" && rows.length > 0) {
      sending = rows.at(-1)?.position ?? sending;
      await save();
    }
    return rows;
  }

  /** What the sink says against them; null when it has taken them. */
  async function handOver(
    rows: readonly AuditRow[],
  ): Promise<SinkFault | null> {
    const stuck = setTimeout(() => {
      health.failed(
        { reason: "stuck", kind: "patent", status: undefined },
        position,
      );
    }, STUCK_MS);
    try {
      await sink.write(rows, over.signal);
      return null;
    } catch (error) {
      if (error instanceof SinkFault) {
        return error;
      }
      onFault(error);
      return new SinkFault("fault");
    } finally {
      clearTimeout(stuck);
    }
  }

  function waitAfter({ retryAfterMs }: SinkFault): number {
    const step = Math.min(failures, WAITS_MS.length);
    const wait = waitAfterAttempt(step, WAITS_MS, random()) ?? POLL_MS;
    return Math.max(wait, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS));
  }

  async function pause(milliseconds: number): Promise<void> {
    if (milliseconds > 0 && !ending.signal.aborted) {
      const { signal } = ending;
      await delay(milliseconds, undefined, { signal }).catch(() => undefined);
    }
  }

  async function save(): Promise<void> {
    if (position !== saved.position || sending !== saved.sending) {
      saved = { position, sending };
      savedAt = performance.now();
      await store.saveSinkPosition(sink.name, saved);
    }
  }

  async function saveNowAndThen(rows: number): Promise<void> {
    unsaved += rows;
    if (
      unsaved >= SAVE_EVERY_ROWS ||
      performance.now() - savedAt >= SAVE_EVERY_MS
    ) {
      unsaved = 0;
      await save();
    }
  }

  const running = run().catch(onFault);

  return {
    name: sink.name,
    wake: alarm.ring,
    position: () => position,
    async stop(withinMs) {
      ending.abort();
      alarm.ring();
      const late = delay(withinMs, undefined, { ref: false });
      await Promise.race([running, late]);
      over.abort();
      await save();
      await sink.close?.();
    },
  };
}

/** The first of them that together have no more than so many bytes; one in any case. */
function withinBytes(
  rows: readonly AuditRow[],
  maxBytes: number,
): readonly AuditRow[] {
  let bytes = 0;
  const end = rows.findIndex(({ line }) => {
    bytes += line.length + 1;
    return bytes > maxBytes;
  });
  return end === -1 ? rows : rows.slice(0, Math.max(end, 1));
}

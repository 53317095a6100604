import { resumedByTime } from "../audit/destination-entries.ts";
import { MAX_RETRY_AFTER_MS } from "../domain/retry-after.ts";
import type { Control, DeliveryQueue } from "../store/port.ts";
import type { PausedDestination, RequestedPause } from "../store/records.ts";
import { setPaused } from "./set-paused.ts";

interface Pause {
  /** The operator's name, or `system`. */
  readonly by: string;
  /** The end as stored, in unix milliseconds; null = when an operator resumes the destination. */
  readonly until: number | null;
  /** The end on the monotonic clock, so that a step of the wall clock neither shortens nor extends the pause. */
  readonly endsAt: number;
}

/** The destinations that an operator or a `Retry-After` has paused. Pauses are stored, so they survive restarts. */
export interface Pauses {
  /** Returns who paused the destination and until when; undefined = not paused. */
  pauseOf: (name: string) => Pick<Pause, "by" | "until"> | undefined;
  /** Reads the pauses from the store, because another process may have changed them, and ends those whose time is over. */
  refresh: () => Promise<void>;
  /** Pauses or resumes a destination for an operator. Writes an audit entry if that changes anything. */
  setPaused: (name: string, operator: string, paused: boolean) => Promise<void>;
  /** Settles in the store. A pause that the settlement contains starts before the settlement is written. */
  settle: DeliveryQueue["settle"];
}

/**
 * Creates the pauses of a process. `onChange` is called when a pause of a destination starts or ends; `by` says who caused
 * it, because an operator's resume also closes the breaker.
 */
export function createPauses(deps: {
  store: Pick<DeliveryQueue, "settle"> &
    Pick<Control, "pausedDestinations" | "setPaused" | "endPause">;
  /** Unix milliseconds. */
  now: () => number;
  /** Milliseconds of a monotonic clock. */
  monotonic: () => number;
  onChange: (name: string, by: "operator" | "system") => void;
}): Pauses {
  const { store, now, monotonic, onChange } = deps;
  const current = new Map<string, Pause>();
  /** The number of changes of each destination. A row that was read before the latest change is outdated. */
  const changes = new Map<string, number>();
  /** The number of pauses of each destination that are being written and that the store may not have yet. */
  const beingWritten = new Map<string, number>();

  const add = (counts: Map<string, number>, name: string, n: number): void => {
    counts.set(name, (counts.get(name) ?? 0) + n);
  };

  function set(
    name: string,
    pause: Pause | null,
    by: "operator" | "system",
  ): void {
    add(changes, name, 1);
    if (pause === null) {
      current.delete(name);
    } else {
      current.set(name, pause);
    }
    onChange(name, by);
  }

  const isOver = ({ endsAt }: Pause): boolean => endsAt <= monotonic();

  /** Applies the row that the store has for a destination; undefined = not paused. */
  function applyRow(name: string, row: PausedDestination | undefined): void {
    const pause = current.get(name);
    if (row === undefined) {
      if (pause !== undefined) {
        set(name, null, isOver(pause) ? "system" : "operator");
      }
    } else if (pause?.until !== row.pausedUntil) {
      const until = row.pausedUntil;
      // The wall clock may have been set back since the pause was stored. The pause still takes at most one hour.
      const leftMs =
        until === null
          ? Number.POSITIVE_INFINITY
          : Math.min(until - now(), MAX_RETRY_AFTER_MS);
      const pause = { by: row.pausedBy, until, endsAt: monotonic() + leftMs };
      set(name, pause, until === null ? "operator" : "system");
    }
  }

  async function endIfOver(name: string, pause: Pause): Promise<void> {
    const { until } = pause;
    if (until === null || !isOver(pause) || beingWritten.get(name)) {
      return;
    }
    const ended = await store.endPause(name, until, resumedByTime(name, now()));
    // If the pause was changed in the meantime, the next refresh applies the change.
    if (ended && current.get(name) === pause) {
      set(name, null, "system");
    }
  }

  function begin({ destination, at, until }: RequestedPause): void {
    const endsAt = monotonic() + (until - at);
    const pause = current.get(destination);
    if (pause === undefined || endsAt > pause.endsAt) {
      set(destination, { by: "system", until, endsAt }, "system");
    }
  }

  return {
    pauseOf: (name) => current.get(name),
    async refresh() {
      const before = new Map(changes);
      const rows = await store.pausedDestinations();
      for (const name of new Set([
        ...current.keys(),
        ...rows.map((row) => row.name),
      ])) {
        const isOutdated = changes.get(name) !== before.get(name);
        if (!isOutdated && !beingWritten.get(name)) {
          applyRow(
            name,
            rows.find((row) => row.name === name),
          );
        }
      }
      await Promise.all(
        [...current].map(([name, pause]) => endIfOver(name, pause)),
      );
    },
    async setPaused(name, operator, paused) {
      await setPaused(store, {
        destination: name,
        operator,
        paused,
        at: now(),
      });
      const pause = {
        by: operator,
        until: null,
        endsAt: Number.POSITIVE_INFINITY,
      };
      set(name, paused ? pause : null, "operator");
    },
    async settle(settlement) {
      const { pause } = settlement;
      if (pause === undefined) {
        return store.settle(settlement);
      }
      const { destination } = pause;
      begin(pause);
      add(beingWritten, destination, 1);
      try {
        return await store.settle(settlement);
      } finally {
        add(beingWritten, destination, -1);
        add(changes, destination, 1);
      }
    },
  };
}

import { pauseChanged, resumedByTime } from "../audit/destination-entries.ts";
import { MAX_RETRY_AFTER_MS } from "../domain/retry-after.ts";
import type { Control, DeliveryQueue } from "../store/port.ts";
import type { PausedDestination, RequestedPause } from "../store/records.ts";

interface Pause {
  /** The operator's name, or `system`. */
  readonly by: string;
  /** As the store has it, unix milliseconds; null = until an operator resumes the destination. */
  readonly until: number | null;
  /** The same on the monotonic clock: a step of the wall clock neither shortens nor prolongs it. */
  readonly endsAt: number;
}

/** Which destinations are paused, by an operator or by a `Retry-After`: in the store, and so over restarts. */
export interface Pauses {
  /** By whom it is paused, and until when; undefined = it is not paused. */
  pauseOf: (name: string) => Pick<Pause, "by" | "until"> | undefined;
  /** Reads which are paused, which another process may have changed, and ends the pauses whose time is over. */
  refresh: () => Promise<void>;
  /** Pauses or resumes one for an operator; an entry is written when that changes anything. */
  setPaused: (name: string, operator: string, paused: boolean) => Promise<void>;
  /** That of the store; a pause that the settlement asks for begins before it is written. */
  settle: DeliveryQueue["settle"];
}

/** `onChange` is called when a destination may be paused or resumed: by whom it matters to its breaker. */
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
  const known = new Map<string, Pause>();
  /** Changes by destination: what was read before the latest of them is outdated. */
  const changes = new Map<string, number>();
  /** Pauses by destination that are being written, and are not to be found in the store yet. */
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
      known.delete(name);
    } else {
      known.set(name, pause);
    }
    onChange(name, by);
  }

  const isOver = ({ endsAt }: Pause): boolean => endsAt <= monotonic();

  /** What the store says of a destination; undefined = it is not paused. */
  function learn(name: string, row: PausedDestination | undefined): void {
    const pause = known.get(name);
    if (row === undefined) {
      if (pause !== undefined) {
        set(name, null, isOver(pause) ? "system" : "operator");
      }
    } else if (pause?.until !== row.pausedUntil) {
      const until = row.pausedUntil;
      // A clock that was set back since it was written does not make the pause longer than any.
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
    // When it was changed meanwhile, the next look finds how.
    if (ended && known.get(name) === pause) {
      set(name, null, "system");
    }
  }

  function begin({ destination, at, until }: RequestedPause): void {
    const endsAt = monotonic() + (until - at);
    const pause = known.get(destination);
    if (pause === undefined || endsAt > pause.endsAt) {
      set(destination, { by: "system", until, endsAt }, "system");
    }
  }

  return {
    pauseOf: (name) => known.get(name),
    async refresh() {
      const before = new Map(changes);
      const rows = await store.pausedDestinations();
      for (const name of new Set([
        ...known.keys(),
        ...rows.map((row) => row.name),
      ])) {
        const isOutdated = changes.get(name) !== before.get(name);
        if (!isOutdated && !beingWritten.get(name)) {
          learn(
            name,
            rows.find((row) => row.name === name),
          );
        }
      }
      await Promise.all(
        [...known].map(([name, pause]) => endIfOver(name, pause)),
      );
    },
    async setPaused(name, operator, paused) {
      const rows = await store.pausedDestinations();
      const row = rows.find((one) => one.name === name);
      // One that would end by itself is not the same as one that an operator wants.
      const isSo = paused ? row?.pausedUntil === null : row === undefined;
      if (!isSo) {
        const at = now();
        await store.setPaused(
          name,
          paused ? { at, by: operator } : null,
          pauseChanged({ destination: name, operator, paused, at }),
        );
      }
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

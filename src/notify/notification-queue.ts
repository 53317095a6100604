import type { Notification } from "./notification.ts";

/** A notification that waits to be sent. */
export interface QueuedNotification {
  readonly latest: Notification;
  /** Number of happenings that it reports. */
  readonly count: number;
  /** When the first of them happened, in unix milliseconds. */
  readonly since: number;
  /** When the last of them happened, in unix milliseconds. */
  readonly at: number;
  /** The id of its message. Another one as soon as the content has changed. */
  readonly id: string;
  /** Number of failed attempts. */
  readonly failures: number;
  /** When it may be sent, in milliseconds of a monotonic clock. */
  readonly dueAt: number;
}

/** Notifications that wait, at most one for each type and subject. */
export interface NotificationQueue {
  /** Adds a happening. Merges it with one that waits. Returns the notification that was dropped for it, if any. */
  readonly add: (notification: Notification) => QueuedNotification | null;
  /** Takes the notification that has waited longest since it was due; null if none is due. */
  readonly take: () => QueuedNotification | null;
  /** Puts a notification back that could not be sent. Happenings since then are merged with it. */
  readonly putBack: (failed: QueuedNotification, dueAt: number) => void;
  /** Takes all notifications, also those that are not due. */
  readonly takeAll: () => readonly QueuedNotification[];
  /** Returns when the next notification is due; null if none waits. */
  readonly nextDueAt: () => number | null;
}

/**
 * Creates an empty queue. A type and subject is sent at most once in `intervalMs`. If `max` notifications wait, the oldest one of
 * the same type is dropped, or else the oldest of all.
 */
export function createNotificationQueue(
  deps: {
    /** Unix milliseconds. */
    now: () => number;
    /** Milliseconds of a monotonic clock. */
    monotonic: () => number;
    /** Returns this number of random bytes, in hex. */
    randomHex: (bytes: number) => string;
  },
  options: { max: number; intervalMs: number },
): NotificationQueue {
  const { now, monotonic, randomHex } = deps;
  const { max, intervalMs } = options;
  /** By key, oldest first. */
  const waiting = new Map<string, QueuedNotification>();
  /** By key: when the last notification was taken. */
  const takenAt = new Map<string, number>();

  const newId = (): string => `ntf_${randomHex(12)}`;

  /** Forgets what is older than the interval, so that the memory is bounded. */
  function forgetOld(): void {
    for (const [key, at] of takenAt) {
      if (monotonic() - at >= intervalMs) {
        takenAt.delete(key);
      }
    }
  }

  function dropFor({ type }: Notification): QueuedNotification | null {
    if (waiting.size < max) {
      return null;
    }
    const all = [...waiting.values()];
    const dropped =
      all.find(({ latest }) => latest.type === type) ?? all[0] ?? null;
    if (dropped !== null) {
      waiting.delete(keyOf(dropped.latest));
    }
    return dropped;
  }

  function take(queued: QueuedNotification): QueuedNotification {
    const key = keyOf(queued.latest);
    waiting.delete(key);
    forgetOld();
    takenAt.set(key, monotonic());
    return queued;
  }

  return {
    add(notification) {
      const key = keyOf(notification);
      const at = now();
      const before = waiting.get(key);
      if (before !== undefined) {
        const { count } = before;
        waiting.set(key, {
          ...before,
          latest: notification,
          count: count + 1,
          at,
          id: newId(),
        });
        return null;
      }
      const dropped = dropFor(notification);
      const lastTakenAt = takenAt.get(key) ?? Number.NEGATIVE_INFINITY;
      waiting.set(key, {
        latest: notification,
        count: 1,
        since: at,
        at,
        id: newId(),
        failures: 0,
        dueAt: Math.max(monotonic(), lastTakenAt + intervalMs),
      });
      return dropped;
    },
    take() {
      const at = monotonic();
      let first: QueuedNotification | null = null;
      for (const one of waiting.values()) {
        if (one.dueAt <= at && (first === null || one.dueAt < first.dueAt)) {
          first = one;
        }
      }
      return first === null ? null : take(first);
    },
    putBack(failed, dueAt) {
      const key = keyOf(failed.latest);
      const newer = waiting.get(key);
      const failures = failed.failures + 1;
      waiting.set(
        key,
        newer === undefined
          ? { ...failed, failures, dueAt }
          : {
              ...newer,
              count: failed.count + newer.count,
              since: failed.since,
              failures,
              dueAt,
            },
      );
    },
    takeAll: () => [...waiting.values()].map(take),
    nextDueAt: () =>
      waiting.size === 0
        ? null
        : Math.min(...[...waiting.values()].map(({ dueAt }) => dueAt)),
  };
}

function keyOf({ type, subject }: Notification): string {
  return `${type} ${subject}`;
}

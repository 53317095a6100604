import type { LookupFunction } from "node:net";
import { withAttemptTimeout } from "../delivery/attempt-timeout.ts";
import {
  createSignedPost,
  type SignedPost,
} from "../delivery/http/signed-post.ts";
import { settle } from "../delivery/settle.ts";
import type { AttemptResult } from "../domain/delivery.ts";
import type { Emit, Happening } from "../telemetry/happening.ts";
import { notificationOf } from "./notification.ts";
import {
  createNotificationQueue,
  type QueuedNotification,
} from "./notification-queue.ts";

/** Waits after failed attempts, in milliseconds. The last attempt is made about an hour after the first one. */
const SCHEDULE_MS = [
  5000, 30_000, 120_000, 300_000, 600_000, 1_200_000, 1_200_000,
];

const ATTEMPT_TIMEOUT_MS = 10_000;

/** Maximum number of notifications that wait. */
const MAX_WAITING = 100;

/** A type and subject is sent at most once in this time, in milliseconds. */
const INTERVAL_MS = 60_000;

/** Where notifications are posted. */
export interface NotifyTarget {
  readonly url: string;
  /** Null = not signed. */
  readonly secret: string | null;
}

export interface NotifierDeps {
  /** Returns the current target; null = nothing is sent. */
  readonly target: () => NotifyTarget | null;
  /** For the operational log. Must not lead to `notify`. */
  readonly emit: Emit;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** Resolves names as `dns.lookup` does. */
  readonly lookup: LookupFunction;
  readonly version: string;
}

export interface Notifier {
  /** Queues a notification if the happening needs one. Never blocks and never throws. */
  readonly notify: (happening: Happening) => void;
  /** Tries once to send what waits, for at most `timeoutMs`. The rest is dropped and logged. */
  readonly stop: (timeoutMs: number) => Promise<void>;
}

/** Posts notifications, one at a time, with retries. It never delays its callers and keeps a bounded number of them. */
export function createNotifier(
  deps: NotifierDeps,
  options: {
    readonly scheduleMs?: readonly number[];
    readonly intervalMs?: number;
    readonly maxWaiting?: number;
  } = {},
): Notifier {
  const { target, emit, monotonic, random } = deps;
  const { scheduleMs = SCHEDULE_MS } = options;
  const queue = createNotificationQueue(deps, {
    max: options.maxWaiting ?? MAX_WAITING,
    intervalMs: options.intervalMs ?? INTERVAL_MS,
  });
  const cutOff = new AbortController();
  let current: {
    readonly target: NotifyTarget;
    readonly post: SignedPost;
  } | null = null;
  let timer: NodeJS.Timeout | undefined;
  /** The notification in flight. */
  let sending: Promise<void> | null = null;
  let isStopping = false;

  /** Returns the sender for the current target. A reload may have changed it. */
  function currentPost(): SignedPost | null {
    const next = target();
    if (
      next?.url !== current?.target.url ||
      next?.secret !== current?.target.secret
    ) {
      current?.post.close();
      const { now, lookup, version } = deps;
      current =
        next === null
          ? null
          : {
              target: next,
              post: createSignedPost(
                { now, lookup, userAgent: `Hexhook/${version}` },
                { ...next, connections: 1, allowPrivate: true },
              ),
            };
    }
    return current?.post ?? null;
  }

  async function attempt(
    queued: QueuedNotification,
    endsAt: AbortSignal,
  ): Promise<AttemptResult | null> {
    const post = currentPost();
    return post === null
      ? null
      : withAttemptTimeout((signal) => post.send(messageOf(queued), signal), {
          timeoutMs: ATTEMPT_TIMEOUT_MS,
          cutOff: endsAt,
        });
  }

  async function send(queued: QueuedNotification): Promise<void> {
    const result = await attempt(queued, cutOff.signal);
    if (result === null || result.ok) {
      return;
    }
    if (cutOff.signal.aborted) {
      queue.putBack(queued, monotonic());
      return;
    }
    const next = settle({
      scheduledAttempt: queued.failures + 1,
      result,
      scheduleMs,
      now: monotonic(),
      random: random(),
    });
    const isLast = next.state !== "pending";
    reportFailure(queued, result, isLast);
    if (!isLast) {
      queue.putBack(queued, next.dueAt);
    }
  }

  function reportFailure(
    { latest, failures }: QueuedNotification,
    result: AttemptResult & { ok: false },
    isLast: boolean,
  ): void {
    const { reason, status, detail } = result;
    emit({
      type: "notification.failed",
      notification: latest.type,
      subject: latest.subject,
      attempt: failures + 1,
      isLast,
      failure: {
        reason,
        ...(status !== undefined && { status }),
        ...(detail !== undefined && { detail }),
      },
    });
  }

  function reportDropped(
    dropped: readonly QueuedNotification[],
    reason: "queue full" | "service stopped",
  ): void {
    if (dropped.length > 0) {
      emit({
        type: "notifications.dropped",
        notifications: dropped.map(({ latest }) => latest.type),
        reason,
      });
    }
  }

  /** Sends the next notification as soon as it is due. */
  function schedule(): void {
    const dueAt = queue.nextDueAt();
    clearTimeout(timer);
    if (dueAt === null || sending !== null || isStopping) {
      return;
    }
    timer = setTimeout(sendDue, Math.max(0, dueAt - monotonic()));
    timer.unref();
  }

  function sendDue(): void {
    const queued = queue.take();
    if (queued !== null) {
      sending = send(queued)
        .catch((error: unknown) => {
          emit({ type: "work.failed", error });
        })
        .finally(() => {
          sending = null;
          schedule();
        });
      return;
    }
    schedule();
  }

  return {
    notify(happening) {
      const notification = notificationOf(happening);
      if (notification === null || target() === null) {
        return;
      }
      const dropped = queue.add(notification);
      reportDropped(dropped === null ? [] : [dropped], "queue full");
      schedule();
    },
    async stop(timeoutMs) {
      isStopping = true;
      clearTimeout(timer);
      const late = AbortSignal.timeout(Math.max(1, Math.ceil(timeoutMs)));
      // An attempt in flight must not take the time of the others.
      cutOff.abort();
      await sending;
      const dropped: QueuedNotification[] = [];
      for (const queued of queue.takeAll()) {
        const result = late.aborted ? null : await attempt(queued, late);
        if (!result?.ok) {
          dropped.push(queued);
        }
      }
      reportDropped(dropped, "service stopped");
      current?.post.close();
    },
  };
}

function messageOf({ latest, count, since, at, id }: QueuedNotification) {
  const timestamp = new Date(at).toISOString();
  const data = {
    since: new Date(since).toISOString(),
    ...latest.data,
    count,
  };
  const body = JSON.stringify({ type: latest.type, timestamp, data });
  return {
    id,
    contentType: "application/json",
    headers: {},
    body: Buffer.from(body, "utf8"),
  };
}

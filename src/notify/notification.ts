import type { AttemptFailure } from "../domain/delivery.ts";
import type { Happening } from "../telemetry/happening.ts";

/** What an operator is notified of. */
export type NotificationType =
  "delivery.exhausted" | "breaker.opened" | "sink.degraded" | "secret.overdue";

/** A happening that an operator should know. */
export interface Notification {
  readonly type: NotificationType;
  /** Repeats of one type about the same subject are merged: a destination, a sink or a secret. */
  readonly subject: string;
  /** Contains no secret, no body and no header. `since` replaces the time of the first happening. */
  readonly data: Readonly<Record<string, unknown>>;
}

/** Returns the notification of a happening; null if operators are not notified of it. */
export function notificationOf(happening: Happening): Notification | null {
  const { type } = happening;
  if (type === "delivery.exhausted") {
    const { destination, source, eventId, eventType, attempt } = happening;
    const facts = { destination, source, eventId, eventType, attempt };
    const data = { ...facts, ...failureFacts(happening.failure) };
    return { type, subject: destination, data };
  }
  if (type === "breaker.opened") {
    const { destination, last } = happening;
    const failure = last === null ? {} : failureFacts(last.failure);
    return { type, subject: destination, data: { destination, ...failure } };
  }
  if (type === "sink.degraded") {
    const { facts: data } = happening;
    return { type, subject: String(data["sink"]), data };
  }
  // As in the audit trail, a secret without a date is overdue.
  if (type === "secret.aged" && happening.verdict !== "due") {
    const { source, secret, keyId, days } = happening;
    const data = { source, secret, keyId, days: days ?? undefined };
    return { type: "secret.overdue", subject: `${source} ${keyId}`, data };
  }
  return null;
}

/** The error that a handler threw is left out, because it may contain parts of the payload. */
function failureFacts({ reason, status, detail }: AttemptFailure): object {
  return { reason, status, detail };
}

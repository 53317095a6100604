/** The closed list of actions, held to docs/audit.md by a test. */
export const AUDIT_ACTIONS = [
  "server.started",
  "server.stopped",
  "webhook.accepted",
  "webhook.duplicate",
  "webhook.replayed",
  "webhook.conflict",
  "webhook.rejected",
  "http.rejected",
  "delivery.succeeded",
  "delivery.failed",
  "delivery.exhausted",
  "delivery.redelivered",
  "delivery.discarded",
  "destination.paused",
  "destination.resumed",
  "secret.reloaded",
  "secret.overdue",
  "config.reloaded",
  "hex.api.call",
  "hex.api.denied",
  "audit.checkpoint",
  "audit.suppressed",
  "audit.sink_degraded",
  "audit.sink_recovered",
  "retention.purged",
  "store.failed",
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

/** Facts of an entry: plain JSON values; undefined members are left out. */
export type AuditMetadata = Readonly<Record<string, unknown>>;

/** An audit entry before it has its place in the chain. */
export interface AuditDraft {
  /** Unix milliseconds. */
  readonly at: number;
  readonly action: AuditAction;
  /** `source:NAME` once verified, `anonymous` before, `worker`, `operator:NAME`, `system`. */
  readonly userId: string;
  readonly resource: string;
  readonly result: "success" | "failure";
  readonly metadata: AuditMetadata;
}

/** What every line begins with; the timestamp comes right behind it. */
export const LINE_START = '{"timestamp":"';
export const TIMESTAMP_AT = LINE_START.length;
export const TIMESTAMP_LENGTH = "2026-11-23T18:00:00.000Z".length;

/** Whether a line is an entry of this action. */
export function hasAction(line: string, action: AuditAction): boolean {
  return line.startsWith(
    `","action":"${action}"`,
    TIMESTAMP_AT + TIMESTAMP_LENGTH,
  );
}

/** The time of an entry's line in unix milliseconds; NaN when it has none. */
export function timeOfLine(line: string): number {
  return Date.parse(line.slice(TIMESTAMP_AT, TIMESTAMP_AT + TIMESTAMP_LENGTH));
}

/** What stands before an entry on stdout, so that it is told from what else a container prints. */
export const STDOUT_PREFIX = "[AUDIT] ";

/** A line is never longer than this, in bytes; it is ASCII only, so in characters too. */
export const MAX_LINE_BYTES = 8192;

/** Longest text from outside that an entry repeats, in UTF-16 units. Ids and types have bounds of their own. */
const MAX_TEXT = 200;

/** Text from outside, cut to what an entry may repeat. */
export function clipText(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

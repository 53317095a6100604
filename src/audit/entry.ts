/** All actions. A test compares the list with docs/audit-reference.md. */
export const AUDIT_ACTIONS = [
  "server.started",
  "server.stopped",
  "webhook.accepted",
  "webhook.duplicate",
  "webhook.replayed",
  "webhook.conflict",
  "webhook.rejected",
  "webhook.handshake",
  "http.rejected",
  "delivery.succeeded",
  "delivery.failed",
  "delivery.exhausted",
  "delivery.redelivered",
  "delivery.discarded",
  "event.read",
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

/** The facts of an entry, as plain JSON values. Undefined members are left out. */
export type AuditMetadata = Readonly<Record<string, unknown>>;

/** An audit entry without a place in the chain. */
export interface AuditDraft {
  /** Unix milliseconds. */
  readonly at: number;
  readonly action: AuditAction;
  /** `source:NAME` for a verified request, `anonymous` for an unverified one; `worker`, `operator:NAME` or `system`. */
  readonly userId: string;
  readonly resource: string;
  readonly result: "success" | "failure";
  readonly metadata: AuditMetadata;
}

/** The beginning of every line. The timestamp follows directly after it. */
export const LINE_START = '{"timestamp":"';
export const TIMESTAMP_AT = LINE_START.length;
export const TIMESTAMP_LENGTH = "2026-11-23T18:00:00.000Z".length;

/** Whether the entry of this line has this action. */
export function hasAction(line: string, action: AuditAction): boolean {
  return line.startsWith(
    `","action":"${action}"`,
    TIMESTAMP_AT + TIMESTAMP_LENGTH,
  );
}

const ACTION_MEMBER = '","action":"';
const ACTION_AT = TIMESTAMP_AT + TIMESTAMP_LENGTH + ACTION_MEMBER.length;

/** Returns the action of an entry's line, without parsing the line. */
export function actionOfLine(line: string): string {
  return line.slice(ACTION_AT, line.indexOf('"', ACTION_AT));
}

/** Returns the time of an entry's line in unix milliseconds; NaN if it has none. */
export function timeOfLine(line: string): number {
  return Date.parse(line.slice(TIMESTAMP_AT, TIMESTAMP_AT + TIMESTAMP_LENGTH));
}

/** The text before each entry on stdout. It distinguishes entries from other output of the same container. */
export const STDOUT_PREFIX = "[AUDIT] ";

/** The maximum length of a line in bytes. Lines are ASCII, so it is the maximum in characters too. */
export const MAX_LINE_BYTES = 8192;

/** The maximum length of a text from outside in an entry, in UTF-16 units. Ids and types have separate limits. */
const MAX_TEXT = 200;

/** Cuts a text from outside to the maximum length in an entry. */
export function clipText(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

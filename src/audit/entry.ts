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

/** What stands before an entry on stdout, so that it is told from what else a container prints. */
export const STDOUT_PREFIX = "[AUDIT] ";

/** A line is never longer than this, in bytes; it is ASCII only, so in characters too. */
export const MAX_LINE_BYTES = 8192;

/** Longest text from outside that an entry repeats, in UTF-16 units. Ids and types have bounds of their own. */
const MAX_TEXT = 200;

const NOT_PRINTABLE_ASCII = /[^\x20-\x7e]/;
// JSON.stringify has escaped what is below a blank.
const BEYOND_PRINTABLE_ASCII = /[\u007f-\uffff]/g;

/**
 * JSON in printable ASCII alone: every other character as \uXXXX. One line, whatever a sender put into it, and
 * nothing in it that a terminal would act on or a log pipeline would take for a line end (U+2028, U+0085).
 */
export function asciiJson(value: unknown): string {
  const json = JSON.stringify(value);
  return NOT_PRINTABLE_ASCII.test(json) ? escapeJson(json) : json;
}

/** JSON text with what is beyond printable ASCII in its strings escaped. */
export function escapeJson(json: string): string {
  return json.replace(
    BEYOND_PRINTABLE_ASCII,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Text from outside, cut to what an entry may repeat. */
export function clipText(text: string): string {
  return text.length > MAX_TEXT ? `${text.slice(0, MAX_TEXT)}…` : text;
}

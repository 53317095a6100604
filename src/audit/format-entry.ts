import { shown, wrap } from "../terminal/terminal-text.ts";
import { coloured } from "../terminal/colours.ts";
import type { ParsedEntry } from "./parsed-entry.ts";

/**
 * Formats an entry for a person: time in UTC, result, action, and its most important facts. Facts that do not fit into
 * `width` continue on indented lines. Text from a sender is escaped, so that it cannot control the terminal.
 */
export function formatEntry(
  entry: ParsedEntry,
  options: { colours: boolean; width: number },
): string {
  const { colours, width } = options;
  const isSuccess = entry.result === "success";
  const time = `${shown(entry.timestamp).slice(0, 19).replace("T", " ")}Z`;
  const result = isSuccess ? "ok  " : "FAIL";
  const lines = wrap(
    [`${time} ${result} ${shown(entry.action)}`, ...factsOf(entry)],
    width,
  );
  const text = lines.join("\n");
  // The result is always at the same position in the first line.
  const at = time.length + 1;
  return colours
    ? `${text.slice(0, at)}${coloured(isSuccess ? "green" : "red", result)}${text.slice(at + result.length)}`
    : text;
}

/** The actions whose subject is only in `resource`. */
const NAMED_BY_RESOURCE = /^(?:secret\.|hex\.api\.)/;

/** Returns the facts of an entry, the most important ones first. */
function factsOf(entry: ParsedEntry): string[] {
  const { action, resource, metadata } = entry;
  const fact = (
    name: string,
    show: (value: unknown) => string | string[] = shown,
  ): string[] =>
    metadata[name] === undefined ? [] : [show(metadata[name])].flat();
  const list = (name: string): string[] =>
    fact(name, (value) =>
      Array.isArray(value) && value.length > 0
        ? [`${name}=${value.map(shown).join(",")}`]
        : [],
    );
  const place = resource.startsWith("/destinations/")
    ? [shown(resource).replace(/^\/destinations\//, "")]
    : action === "http.rejected"
      ? [...fact("method"), shown(resource)]
      : resource.startsWith("hexhook ")
        ? [shown(resource)]
        : NAMED_BY_RESOURCE.test(action)
          ? [shown(resource)]
          : action === "audit.checkpoint"
            ? [`writer=${shown(entry.chain.writer)}`, `seq=${entry.chain.seq}`]
            : [];
  return [
    ...fact("sink"),
    ...fact("reason"),
    // The status of an attempt, or of the Hex API, belongs to its reason.
    ...(metadata["reason"] === "status" ? fact("status") : []),
    ...fact("code"),
    ...fact("detail"),
    ...(action.startsWith("webhook.") ? fact("source") : []),
    ...place,
    ...fact("trigger"),
    ...fact("changed", (value) =>
      value === true ? "changed" : value === false ? "unchanged" : [],
    ),
    ...list("changed"),
    ...list("pending"),
    ...list("keyIds"),
    ...(NAMED_BY_RESOURCE.test(action) ? fact("keyId") : []),
    ...fact("days", (value) => (value === null ? [] : `days=${shown(value)}`)),
    ...fact("scope"),
    ...fact("calls", (value) => `calls=${shown(value)}`),
    ...fact("attempts", (value) =>
      value === 1 ? [] : `tries=${shown(value)}`,
    ),
    ...fact("errors", (value) => [value].flat().map(shown)),
    // The name of `errors` in entries of earlier versions.
    ...fact("faults", (value) => [value].flat().map(shown)),
    // Only in entries that were written before the actions `destination.paused` and `destination.resumed` existed.
    ...fact("paused", (value) => (value === true ? "paused" : "resumed")),
    ...fact("attempt", (value) => `attempt=${shown(value)}`),
    ...(entry.userId.startsWith("operator:") ? [shown(entry.userId)] : []),
    ...fact("count", (value) => `count=${shown(value)}`),
    ...fact("filter", counted),
    ...fact("reasons", counted),
    ...fact("addresses", counted),
    ...fact("eventId"),
    ...fact("eventType"),
    ...(metadata["reason"] === "status" ? [] : fact("status")),
    ...fact("nextAttemptAt", (value) => `next=${shown(value)}`),
    ...fact("until", (value) => `until=${shown(value)}`),
    ...fact("since", (value) => `since=${shown(value)}`),
    ...fact("failures", (value) => `failures=${shown(value)}`),
    ...fact("events", (value) => `events=${shown(value)}`),
    ...fact("entries", (value) => `entries=${shown(value)}`),
    ...fact("auditFileAhead", () => "auditFileAhead"),
    ...fact("version", (value) => `version=${shown(value)}`),
    // The origin and the time difference of a message matter only if it was rejected.
    ...(entry.result === "success"
      ? []
      : [
          ...fact("skewSeconds", (value) => `skew=${shown(value)}s`),
          ...fact("ip"),
          ...fact("requestId", (value) => `request=${shown(value)}`),
          // An operator can compare it with the digest of the body that the sender sent.
          ...fact("bodySha256", (value) => `sha256=${shown(value)}`),
        ]),
  ];
}

/** Returns counts in the form `bad_signature=4000`. */
function counted(counts: unknown): string[] {
  return Object.entries(counts ?? {}).map(
    ([name, count]) => `${shown(name)}=${shown(count)}`,
  );
}

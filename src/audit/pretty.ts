import { asciiJson } from "../core/audit-entry.ts";
import { type ParsedEntry } from "./entry.ts";

const WIDTH = 80;

const RED = "\u001b[31m";
const GREEN = "\u001b[32m";
const RESET = "\u001b[0m";

/** What of an entry's metadata tells most, in order; the line ends where its width is used up. */
const TELLING = [
  "reason",
  "code",
  "eventId",
  "destination",
  "attempt",
  "eventType",
  "status",
  "skewSeconds",
  "ip",
];

/**
 * One entry in 80 columns: time, result, action, and what tells most of it. Whatever a sender put into it is shown
 * escaped, so that a terminal acts on nothing.
 */
export function prettyEntry(entry: ParsedEntry, colours: boolean): string {
  const { timestamp, action, result, metadata, resource } = entry;
  const time = shown(timestamp).slice(0, 19).replace("T", " ");
  const mark = result === "success" ? "ok  " : "FAIL";
  const facts = TELLING.filter((name) => metadata[name] !== undefined).map(
    (name) => shown(metadata[name]),
  );
  const place = action.startsWith("webhook.") ? [] : [shown(resource)];
  const head = `${time} ${mark} `;
  const rest = `${shown(action).padEnd(20)} ${[...place, ...facts].join(" ")}`;
  const room = WIDTH - head.length;
  const clipped = rest.length > room ? `${rest.slice(0, room - 3)}...` : rest;
  if (!colours) {
    return head + clipped;
  }
  const colour = result === "success" ? GREEN : RED;
  return `${time} ${colour}${mark}${RESET} ${clipped}`;
}

function shown(value: unknown): string {
  return typeof value === "string"
    ? asciiJson(value).slice(1, -1)
    : asciiJson(value);
}

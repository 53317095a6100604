import { asciiJson } from "../json/ascii.ts";
import { coloured } from "../terminal/colours.ts";
import type { Display } from "../terminal/display.ts";
import { shown, shownTime, visible, wrap } from "../terminal/terminal-text.ts";

/** Maximum size of a formatted line in bytes, including its continuation lines. */
const MAX_BYTES = 16_384;

/** Space for the note about lines that were left out. */
const NOTE_BYTES = 64;

const INDENT = "    ";

/** The beginning of each line that pino writes. */
const HEAD = /^\{"level":"([a-z]+)","time":"([^"]+)",?/;

/** A value that needs no quotes after `name=`. */
const PLAIN_VALUE = /^[^\s"=,]+$/;

type Fields = Readonly<Record<string, unknown>>;

/**
 * Formats a line of the JSON log for a person: time in UTC, level, message and fields, wrapped at the width of the display,
 * then errors with their stacks. Escapes the characters that could control the terminal. Ends with a newline.
 */
export function prettyLine(json: string, display: Display): string {
  const [head = "", level = "", time = ""] = HEAD.exec(json) ?? [];
  if (head === "") {
    return `${visible(json.trimEnd())}\n`;
  }
  const { msg, ...others } = JSON.parse(
    `{${json.slice(head.length)}`,
  ) as Fields;
  // A handler can log a field that is called msg.
  const fields =
    msg === undefined || typeof msg === "string" ? others : { msg, ...others };
  const errors = Object.entries(fields).flatMap(([name, value]) =>
    isError(value) ? [[name, value] as const] : [],
  );
  const plain = Object.entries(fields).filter(([, value]) => !isError(value));
  const words = [
    `${shownTime(Date.parse(time))} ${level.padEnd(5)}`,
    ...(typeof msg === "string" ? visible(msg).split(" ") : []),
    ...plain.flatMap(([name, value]) => field(name, value)),
  ];
  const [first = "", ...rest] = wrap(words, display.width(), { whole: true });
  const lines = [
    display.colours ? withColour(first, level) : first,
    ...rest,
    ...errors.flatMap(([name, error]) =>
      errorLines(error, name === "err" ? "" : `${shown(name)}: `, INDENT),
    ),
  ];
  return `${bounded(lines).join("\n")}\n`;
}

/** Colours the level, which follows the time in each first line. */
function withColour(line: string, level: string): string {
  const at = shownTime(0).length + 1;
  const end = at + level.length;
  return `${line.slice(0, at)}${coloured(colourOf(level), line.slice(at, end))}${line.slice(end)}`;
}

function colourOf(level: string): "red" | "yellow" | "green" {
  switch (level) {
    case "error":
    case "fatal":
      return "red";
    case "warn":
      return "yellow";
    default:
      return "green";
  }
}

/** Returns `name=value`, or `name.member=value` for each member of an object. */
function field(name: string, value: unknown): string[] {
  if (isObject(value) && Object.keys(value).length > 0) {
    return Object.entries(value).flatMap(([member, one]) =>
      field(`${name}.${member}`, one),
    );
  }
  return [`${shown(name)}=${fieldValue(value)}`];
}

function fieldValue(value: unknown): string {
  if (typeof value === "string") {
    return PLAIN_VALUE.test(value) ? shown(value) : asciiJson(value);
  }
  return Array.isArray(value) &&
    value.every((one) => typeof one === "string" && PLAIN_VALUE.test(one))
    ? value.map(shown).join(",")
    : asciiJson(value);
}

/** Returns the lines of an error: its stack, which begins with its name and message, and then its causes. */
function errorLines(error: Fields, label: string, indent: string): string[] {
  const { type, message, stack, cause, errors, ...others } = error;
  const [first = "", ...frames] =
    typeof stack === "string"
      ? stack.split("\n")
      : [`${text(type)}: ${text(message)}`];
  const facts = Object.entries(others).flatMap(([name, value]) =>
    field(name, value),
  );
  const below = indent + INDENT;
  return [
    indent + [label + visible(first), ...facts].join(" "),
    ...frames.map((frame) => below + visible(frame.trim())),
    ...(isError(cause) ? errorLines(cause, "caused by ", below) : []),
    ...(Array.isArray(errors) ? errors : [])
      .filter(isError)
      .flatMap((one) => errorLines(one, "", below)),
  ];
}

function text(value: unknown): string {
  return typeof value === "string" ? value : asciiJson(value);
}

function isError(value: unknown): value is Fields {
  return isObject(value) && "type" in value && "message" in value;
}

function isObject(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Returns the first lines that fit into MAX_BYTES, and a note with the number of the remaining lines. */
function bounded(lines: readonly string[]): string[] {
  let left = MAX_BYTES - NOTE_BYTES;
  const kept = lines.findIndex((line) => {
    left -= Buffer.byteLength(line) + 1;
    return left < 0;
  });
  return kept === -1
    ? [...lines]
    : [...lines.slice(0, kept), `${INDENT}… ${lines.length - kept} more lines`];
}

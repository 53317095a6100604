import { types } from "node:util";
import type { ErrorDescription } from "../domain/error-description.ts";
import { clipJson } from "../json/clip.ts";

/** Maximum length of a line's fields and of its message, in characters. With level and time, a line stays below 16 KiB. */
const MAX_FIELDS = 13_312;
const MAX_MESSAGE = 1024;

/** Limits for the values inside the fields. */
const MAX_TEXT = 8192;
const MAX_NAME = 256;
const MAX_MEMBERS = 100;
const MAX_DEPTH = 6;

/** Limits for the parts of an error. */
const MAX_ERROR_MESSAGE = 2048;
const MAX_STACK = 6144;
const MAX_CAUSES = 3;
const MAX_ERRORS = 3;

/** Space for the note that says how many members were left out. */
const NOTE_COST = 64;

/** Space for the punctuation of a member and for a short value such as `false` or `[circular]`. */
const MEMBER_COST = 20;

/** Replaces a value that could not be read because reading it threw. */
const UNREADABLE = "[unreadable]";

interface Place {
  /** The space that is left in the line, in characters. */
  readonly budget: { left: number };
  /** The objects that contain this one, outermost first. */
  readonly ancestors: readonly object[];
}

/**
 * Returns the fields of a line as plain data of bounded length. Accepts any value, also long, deep and circular ones,
 * BigInt, and getters and proxies that throw. Never throws. A shortened value is marked.
 */
export function boundedFields(fields: unknown): Record<string, unknown> {
  const place = { budget: { left: MAX_FIELDS }, ancestors: [] };
  try {
    if (isError(fields)) {
      return { err: plain(fields, place) };
    }
    if (typeof fields === "object" && fields !== null) {
      return members(fields, place);
    }
    return fields === undefined ? {} : { value: plain(fields, place) };
  } catch {
    return { fields: UNREADABLE };
  }
}

/** Returns the message of a line, shortened to the maximum length. */
export function boundedMessage(message: string): string {
  return clipJson(message, MAX_MESSAGE).text;
}

/** Describes a thrown value as plain text of bounded length. Never throws. */
export function describeError(thrown: unknown): ErrorDescription {
  return describe(thrown, 0);
}

/** Returns whether a value is an error, of this realm or another. Never throws. */
function isError(value: unknown): boolean {
  try {
    return types.isNativeError(value) || value instanceof Error;
  } catch {
    return false;
  }
}

function describe(thrown: unknown, depth: number): ErrorDescription {
  if (typeof thrown !== "object" || thrown === null) {
    const type = thrown === null ? "null" : typeof thrown;
    return { type, message: clip(primitive(thrown), MAX_ERROR_MESSAGE) };
  }
  const type = clip(nameOf(thrown), MAX_NAME);
  const rawMessage = read(thrown, "message");
  if (typeof rawMessage !== "string" && depth === 0 && !isError(thrown)) {
    const place = { budget: { left: MAX_ERROR_MESSAGE }, ancestors: [] };
    return { type, message: "not an Error", value: plain(thrown, place) };
  }
  const message = typeof rawMessage === "string" ? rawMessage : UNREADABLE;
  const code = read(thrown, "code");
  const stack = read(thrown, "stack");
  const cause = read(thrown, "cause");
  const errors = read(thrown, "errors");
  const deeper = depth < MAX_CAUSES;
  return {
    type,
    message: clip(message, MAX_ERROR_MESSAGE),
    ...(typeof code === "string" && { code: clip(code, MAX_NAME) }),
    ...(typeof stack === "string" && { stack: boundedStack(stack, message) }),
    ...(deeper && cause !== undefined && { cause: describe(cause, depth + 1) }),
    ...(deeper &&
      !types.isProxy(errors) &&
      Array.isArray(errors) && {
        errors: Array.from({ length: Math.min(errors.length, MAX_ERRORS) }).map(
          (_none, i) => describe(read(errors, String(i)), depth + 1),
        ),
      }),
  };
}

/** Shortens a stack. The stack begins with the message, so a long message is shortened first to leave room for the frames. */
function boundedStack(stack: string, message: string): string {
  const messageAt = stack.indexOf(message);
  const frames =
    messageAt === -1 ? stack : stack.slice(messageAt + message.length);
  const start = stack.slice(0, stack.length - frames.length);
  return clip(
    clip(start, MAX_ERROR_MESSAGE) + frames.slice(0, MAX_STACK),
    MAX_STACK,
  );
}

function clip(text: string, max: number): string {
  return clipJson(text, max).text;
}

function read(object: object, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch {
    return undefined;
  }
}

function nameOf(thrown: object): string {
  const name = read(thrown, "name");
  if (typeof name === "string" && name !== "") {
    return name;
  }
  const constructor = read(thrown, "constructor");
  const ofClass =
    typeof constructor === "function" ? read(constructor, "name") : undefined;
  return typeof ofClass === "string" && ofClass !== "" ? ofClass : "object";
}

/** Returns a value that is not an object as text. */
function primitive(value: unknown): string {
  return typeof value === "function" ? "[function]" : String(value);
}

function plain(value: unknown, place: Place): unknown {
  switch (typeof value) {
    case "string":
      return text(value, place);
    case "number": {
      const shown = text(String(value), place);
      return Number.isFinite(value) ? value : shown;
    }
    case "boolean":
    case "undefined":
      return value;
    case "object":
      return value === null ? null : plainObject(value, place);
    case "bigint":
    case "function":
    case "symbol":
      return text(primitive(value), place);
  }
}

function text(value: string, { budget }: Place): string {
  const clipped = clipJson(value, Math.min(MAX_TEXT, budget.left));
  budget.left -= clipped.cost;
  return clipped.text;
}

function plainObject(value: object, place: Place): unknown {
  if (place.ancestors.includes(value)) {
    return "[circular]";
  }
  if (place.ancestors.length >= MAX_DEPTH) {
    return "[object]";
  }
  try {
    return plainMembers(value, place);
  } catch {
    return UNREADABLE;
  }
}

/** Like `plainObject`, but throws the errors of the object's getters. */
function plainMembers(value: object, place: Place): unknown {
  const inside = { ...place, ancestors: [...place.ancestors, value] };
  if (isError(value)) {
    return members(describe(value, 1), inside);
  }
  if (ArrayBuffer.isView(value) || types.isAnyArrayBuffer(value)) {
    // Bytes are usually request bodies, which must never be logged.
    return `[${value.byteLength} bytes]`;
  }
  if ("toJSON" in value && typeof value.toJSON === "function") {
    return plain((value.toJSON as () => unknown)(), inside);
  }
  return Array.isArray(value) ? items(value, inside) : members(value, inside);
}

function items(array: readonly unknown[], place: Place): unknown[] {
  const all: unknown[] = [];
  for (let i = 0; i < array.length; i += 1) {
    if (!takeMember("", all.length, place)) {
      all.push(`… ${array.length - i} more`);
      break;
    }
    all.push(plain(array[i], place) ?? null);
  }
  return all;
}

function members(object: object, place: Place): Record<string, unknown> {
  const names = Object.keys(object);
  const all: [string, unknown][] = [];
  for (const [i, name] of names.entries()) {
    const { text: shown } = clipJson(name, MAX_NAME);
    if (!takeMember(name, all.length, place)) {
      all.push(["…", `${names.length - i} more`]);
      break;
    }
    all.push([shown, member(object, name, place)]);
  }
  // Unlike an assignment, this also creates a member named `__proto__`.
  return Object.fromEntries(all);
}

function member(object: object, name: string, place: Place): unknown {
  let value: unknown;
  try {
    value = (object as Record<string, unknown>)[name];
  } catch {
    return UNREADABLE;
  }
  return plain(value, place);
}

/** Takes the space of one more member from the budget. Returns false when too little is left. */
function takeMember(name: string, count: number, { budget }: Place): boolean {
  const cost = clipJson(name, MAX_NAME).cost + MEMBER_COST + NOTE_COST;
  if (count >= MAX_MEMBERS || budget.left < cost) {
    return false;
  }
  budget.left -= cost - NOTE_COST;
  return true;
}

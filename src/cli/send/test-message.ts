import { randomUUID } from "node:crypto";
import type { Place, Scheme } from "../../domain/scheme.ts";
import { UsageError } from "../../errors.ts";
import { namesOf } from "../../json/json-pointer.ts";
import { sampleOf } from "../samples/samples.ts";
import type { Sample } from "../samples/sample.ts";
import type { TestMessage } from "./sender.ts";

export const JSON_TYPE = "application/json";
const FORM_TYPE = "application/x-www-form-urlencoded";
const DEFAULT_TYPE = "hexhook.test";

/** What the user wants to send. */
export interface MessageOptions {
  readonly id?: string;
  readonly type?: string;
  /** JSON text. */
  readonly data?: string;
  /** The exact body. */
  readonly body?: Buffer;
  readonly contentType?: string;
  readonly sample?: boolean;
}

/**
 * Returns the message to send. Without a body and data, it is the sample of the scheme; for `hex`, `hex-body` and schemes without
 * a sample it is an object with an id, a type and the data. Throws UsageError for options that do not fit together.
 */
export function testMessage(
  scheme: Scheme,
  options: MessageOptions,
  at: Date,
): TestMessage {
  const message = contentOf(scheme, options, at);
  return options.contentType === undefined
    ? message
    : { ...message, contentType: options.contentType };
}

function contentOf(
  scheme: Scheme,
  options: MessageOptions,
  at: Date,
): TestMessage {
  const { data, sample: wantsSample } = options;
  const body = exactBody(scheme, options);
  requirePlaces(scheme, options, body !== null);
  if (body !== null) {
    const { id = null, type = null } = options;
    const contentType = hasForms(scheme) ? FORM_TYPE : JSON_TYPE;
    return { body, contentType, id, type };
  }
  const sample = sampleOf(scheme.name);
  return sample === null ||
    data !== undefined ||
    (wraps(scheme) && !wantsSample)
    ? plainMessage(scheme, options, parsed(data))
    : sampleMessage(scheme, options, { sample, at });
}

/** Whether `--data` is a member of the body; otherwise it is the body. */
const wraps = ({ id }: Scheme): boolean => id.isRequired === true;

/** Whether messages are usually forms. */
const hasForms = ({ media }: Scheme): boolean => media[0] === "form";

/** Returns the body that the user gave; null if the body must be made. */
function exactBody(
  scheme: Scheme,
  { body, data }: MessageOptions,
): Buffer | null {
  if (body !== undefined) {
    return body;
  }
  if (data === undefined) {
    return null;
  }
  const isBody = hasForms(scheme) || isWholeEvent(data) || !wraps(scheme);
  return isBody ? Buffer.from(data) : null;
}

function sampleMessage(
  { id: { from } }: Scheme,
  options: MessageOptions,
  { sample, at }: { sample: Sample; at: Date },
): TestMessage {
  const { id = sample.newId(), type = sample.type } = options;
  const facts = { id, type, at };
  const { content } = sample;
  return {
    ...("json" in content
      ? {
          body: Buffer.from(JSON.stringify(content.json(facts))),
          contentType: JSON_TYPE,
        }
      : {
          body: Buffer.from(
            new URLSearchParams(content.form(facts)).toString(),
          ),
          contentType: FORM_TYPE,
        }),
    // An id in the body is already there, or this kind of message has none.
    id: options.id ?? (isInHeader(from) ? id : null),
    type: options.type ?? sample.type,
  };
}

/**
 * A JSON object with the id and the type where the scheme has them, and the data. If the id has no place in the body it is at
 * `/id`, so that two bodies differ.
 */
function plainMessage(
  { id: { from: idPlace }, type: { from: typePlaces } }: Scheme,
  options: MessageOptions,
  data: unknown,
): TestMessage {
  const { id = `evt_${randomUUID()}`, type = DEFAULT_TYPE } = options;
  const [typePlace = null] = typePlaces;
  const event = {};
  setAt(event, isInBody(idPlace) ? idPlace : { pointer: "/id" }, id);
  setAt(event, typePlace, type);
  return {
    body: Buffer.from(JSON.stringify({ ...event, data })),
    contentType: JSON_TYPE,
    id: idPlace === null ? null : id,
    type: typePlace === null ? null : type,
  };
}

function setAt(
  event: Record<string, unknown>,
  place: Place | null,
  text: string,
): void {
  if (place === null || !("pointer" in place)) {
    return;
  }
  const names = namesOf(place.pointer);
  let parent = event;
  for (const name of names.slice(0, -1)) {
    const child = (parent[name] ?? {}) as Record<string, unknown>;
    parent[name] = child;
    parent = child;
  }
  parent[names.at(-1) ?? ""] = text;
}

/** Throws UsageError if the id or the type has no place in the message. */
function requirePlaces(
  { name, id: { from: idPlace }, type: { from: typePlaces } }: Scheme,
  options: MessageOptions,
  isExact: boolean,
): void {
  for (const [option, place, value] of [
    ["--id", idPlace, options.id],
    ["--type", typePlaces[0] ?? null, options.type],
  ] as const) {
    if (value === undefined) {
      continue;
    }
    if (place === null) {
      throw new UsageError(
        `${option}: messages of the scheme ${name} have no ${option.slice(2)}; leave it out`,
      );
    }
    if (isExact && !isInHeader(place)) {
      throw new UsageError(
        `${option}: the scheme ${name} has it in the body, which is given; leave it out`,
      );
    }
  }
}

function isInBody(place: Place | null): boolean {
  return place !== null && "pointer" in place;
}

function isInHeader(place: Place | null): boolean {
  return place !== null && "header" in place;
}

function parsed(data: string | undefined): unknown {
  try {
    return data === undefined ? {} : JSON.parse(data);
  } catch {
    throw new UsageError(`--data must be JSON, such as '{"name":"first"}'`);
  }
}

/** Whether JSON text is an event with id and type, and not only its data. */
function isWholeEvent(text: string): boolean {
  const data = parsed(text);
  return (
    typeof data === "object" &&
    data !== null &&
    "id" in data &&
    "type" in data &&
    typeof data.id === "string" &&
    typeof data.type === "string"
  );
}

import { z } from "zod";
import { isJsonPointer } from "../json/json-pointer.ts";
import { isEventPattern } from "../intake/routing.ts";
import type { RateLimit } from "../domain/destination.ts";
import type { Environment } from "./environment.ts";
import { lineAt } from "./errors.ts";
import { checked, type ConfigFile } from "./file.ts";
import {
  distinct,
  INVALID_NAME,
  isValidName,
  isMap,
  forbidden,
  mapOf,
  present,
  textThat,
  trueOrFalse,
  wholeNumber,
} from "./file-values.ts";
import { type HeaderEntry, headerEntries } from "./header-entry.ts";
import { type JsonSchema, jsonSchemaOf, withJson } from "./json-schema.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import {
  durations,
  durationWithin,
  httpUrl,
  outboundSecret,
  rateLimit,
} from "./values.ts";

interface CommonEntry {
  readonly events?: readonly string[] | undefined;
  readonly concurrency?: number | undefined;
  readonly orderBy?: string | undefined;
  /** Milliseconds each. */
  readonly retrySchedule?: readonly number[] | undefined;
  /** Milliseconds. */
  readonly timeout?: number | undefined;
  readonly rateLimit?: RateLimit | undefined;
  /** Milliseconds. */
  readonly maxAge?: number | undefined;
}

export interface HttpEntry extends CommonEntry {
  readonly url: string;
  readonly handler?: undefined;
  readonly secret?: ReferredSecret | undefined;
  readonly headers?: readonly HeaderEntry[] | undefined;
  readonly allowPrivate?: boolean | undefined;
}

export interface HandlerEntry extends CommonEntry {
  readonly handler: string;
}

/** The settings of one destination in the file. Missing ones get a default. */
export type DestinationEntry = HttpEntry | HandlerEntry;

/** Returns the valid destinations of the file, in its order, and adds the errors of the others to `errors`. */
export function readDestinationEntries(
  file: ConfigFile | null,
  env: Environment,
  errors: string[],
): ReadonlyMap<string, DestinationEntry> {
  const entries = new Map<string, DestinationEntry>();
  for (const [name, value] of file?.destinations ?? []) {
    const path = ["destinations", name];
    if (!isValidName(name)) {
      errors.push(lineAt(path, INVALID_NAME));
    }
    if (name === "forward" && env["FORWARD_URL"]) {
      const text =
        "is the name of the destination that FORWARD_URL creates; rename this one, or unset FORWARD_URL";
      errors.push(lineAt(path, text));
    }
    const entry = checked(entryFor(value, env), value, path, errors);
    if (entry !== null) {
      entries.set(name, entry);
    }
  }
  return entries;
}

/** Returns the JSON Schema of a destination. */
export function destinationJson(): JsonSchema {
  return { anyOf: [jsonSchemaOf(httpEntry({})), jsonSchemaOf(handlerEntry())] };
}

/** Chooses the schema by the key that is present, so that errors refer to the intended kind. */
function entryFor(
  value: unknown,
  env: Environment,
): z.ZodType<DestinationEntry> {
  return isMap(value) && value.has("handler") && !value.has("url")
    ? handlerEntry()
    : httpEntry(env);
}

function httpEntry(env: Environment): z.ZodType<HttpEntry> {
  return mapOf({
    url: present(httpUrl, "is missing; a destination needs url or handler"),
    handler: forbidden("cannot be used together with url; remove one of them"),
    ...commonKeys(),
    secret: secretReference(env, outboundSecret).optional(),
    headers: headerEntries(env).optional(),
    allowPrivate: trueOrFalse.optional(),
  });
}

function handlerEntry(): z.ZodType<HandlerEntry> {
  const withUrlOnly = forbidden(
    "applies only to a destination with url; remove it",
  );
  return mapOf(
    {
      handler: textThat(
        isEventPattern,
        "must be a key of the handlers module: an event type, prefix.* or *",
      ),
      ...commonKeys(),
      secret: withUrlOnly,
      headers: withUrlOnly,
      allowPrivate: withUrlOnly,
    },
    { unlisted: ["secret", "headers", "allowPrivate"] },
  );
}

const MAX_WAITS = 100;

/** A string in the form of RETRY_SCHEDULE, or a list of times. */
const retrySchedule: z.ZodType<readonly number[]> = withJson(
  z
    .unknown()
    .transform((value) => (isListOfText(value) ? value.join(",") : value))
    .pipe(durations)
    .refine(
      (waits) => waits.length <= MAX_WAITS,
      `must have at most ${MAX_WAITS} entries`,
    ),
  () => ({
    anyOf: [
      jsonSchemaOf(durations),
      {
        type: "array",
        items: jsonSchemaOf(durations),
        minItems: 1,
        maxItems: MAX_WAITS,
      },
    ],
  }),
);

function isListOfText(value: unknown): value is string[] {
  return (
    Array.isArray(value) && value.every((item) => typeof item === "string")
  );
}

function commonKeys() {
  return {
    events: distinct(
      textThat(isEventPattern, "must be an event type, prefix.* or *"),
      "event types",
      { minItems: 1 },
    ).optional(),
    concurrency: wholeNumber(1, 1000).optional(),
    orderBy: textThat(
      isJsonPointer,
      "must be a JSON pointer such as /data/customer; inside a name, write ~ as ~0 and / as ~1",
    ).optional(),
    retrySchedule: retrySchedule.optional(),
    timeout: durationWithin("1ms", "1h").optional(),
    rateLimit: rateLimit.optional(),
    maxAge: durationWithin("1s", "8760h").optional(),
  };
}

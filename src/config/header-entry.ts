import { z } from "zod";
import type { Environment } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { jsonSchemaOf, withJson } from "./json-schema.ts";
import { headerValueError, MAX_HEADER_VALUE } from "./secret.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import { headerValueSecret } from "./values.ts";

/** A header that the file sets for attempts on a destination. */
export interface HeaderEntry {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** The reference that the value was read from; null if the value is in the file. */
  readonly secret: ReferredSecret | null;
}

/** Few servers accept more headers or bytes. */
const MAX_HEADERS = 32;
const MAX_TOTAL_BYTES = 8192;

/** RFC 9110 section 5.1: a token. */
const NAME = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

/** Headers that Hexhook sets, that describe the body, or that belong to the connection (RFC 9110 section 7.6.1). */
const RESERVED =
  /^(?:webhook-.*|x-hexhook-.*|content-.*|proxy-.*|user-agent|traceparent|tracestate|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|http2-settings|date)$/;

const CREDENTIAL_NAME =
  /auth|cookie|token|secret|key|passw|credential|signature/;
const CREDENTIAL_VALUE = /^(?:bearer|basic|digest|token) |^whsec_/i;

/** A map from header names to strings or references to secrets. No error repeats a value. */
export function headerEntries(
  env: Environment,
): z.ZodType<readonly HeaderEntry[]> {
  const reference = secretReference(env, headerValueSecret);
  const schema = z
    .custom<ReadonlyMap<string, unknown>>(
      isMap,
      "must be a map from header names to strings or references",
    )
    .transform((map, context) => {
      const entries: HeaderEntry[] = [];
      const error = (message: string, ...path: PropertyKey[]): void => {
        context.addIssue({ code: "custom", message, path });
      };
      for (const [index, [key, value]] of [...map].entries()) {
        const name = key.toLowerCase();
        const isKnown = entries.some((entry) => entry.name === name);
        if (!NAME.test(key)) {
          // The name is not repeated: it may be a whole header line with its value.
          error(`name ${index + 1} is not a valid header name`);
        } else if (RESERVED.test(name)) {
          error("is set by Hexhook or by HTTP; remove it", key);
        } else if (isKnown) {
          error(
            "is a duplicate, because header names ignore case; remove it",
            key,
          );
        } else if (isMap(value)) {
          const read = reference.safeParse(value);
          for (const { message, path } of read.error?.issues ?? []) {
            error(message, key, ...path);
          }
          const secret = read.data ?? null;
          entries.push({ name, value: secret?.value ?? "", secret });
        } else {
          const found = literalError(name, value);
          if (found !== null) {
            error(found, key);
          }
          entries.push({ name, value: String(value), secret: null });
        }
      }
      if (entries.length > MAX_HEADERS || bytesOf(entries) > MAX_TOTAL_BYTES) {
        const limits = `${MAX_HEADERS} headers and ${MAX_TOTAL_BYTES} bytes`;
        error(`must have at most ${limits} in total`);
      }
      return entries;
    });
  return withJson(schema, () => ({
    type: "object",
    propertyNames: { pattern: NAME.source },
    additionalProperties: {
      anyOf: [
        { type: "string", minLength: 1, maxLength: MAX_HEADER_VALUE },
        jsonSchemaOf(reference),
      ],
    },
    maxProperties: MAX_HEADERS,
  }));
}

function literalError(name: string, value: unknown): string | null {
  if (typeof value !== "string") {
    return "must be a string in quotes, { env: NAME } or { file: PATH }";
  }
  if (CREDENTIAL_NAME.test(name) || CREDENTIAL_VALUE.test(value)) {
    return "contains a credential, so it must be { env: NAME } or { file: PATH }; this file must not contain secrets";
  }
  return headerValueError(value);
}

function bytesOf(entries: readonly HeaderEntry[]): number {
  return entries.reduce(
    (sum, { name, value }) => sum + name.length + value.length + 4,
    0,
  );
}

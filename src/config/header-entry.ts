import { z } from "zod";
import type { Environment } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { headerValueError } from "./secret.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import { headerValueSecret } from "./values.ts";

/** A header that the file sets for the attempts on a destination. */
export interface HeaderEntry {
  /** In lower case. */
  readonly name: string;
  readonly value: string;
  /** The reference that the value came by; null for one that stands in the file. */
  readonly secret: ReferredSecret | null;
}

/** Few servers take more. */
const MAX_HEADERS = 32;
const MAX_TOTAL_BYTES = 8192;

/** RFC 9110 section 5.1: a token. */
const NAME = /^[\w!#$%&'*+.^`|~-]{1,64}$/;

/** What Hexhook sets, what describes the body, and what belongs to the connection (RFC 9110 section 7.6.1). */
const RESERVED =
  /^(?:webhook-.*|x-hexhook-.*|content-.*|proxy-.*|user-agent|traceparent|tracestate|host|connection|keep-alive|transfer-encoding|te|trailer|upgrade|expect|http2-settings|date)$/;

const CREDENTIAL_NAME =
  /auth|cookie|token|secret|key|passw|credential|signature/;
const CREDENTIAL_VALUE = /^(?:bearer|basic|digest|token) |^whsec_/i;

/** A map from header names to texts or references to secrets. No error repeats a value. */
export function headerEntries(
  env: Environment,
): z.ZodType<readonly HeaderEntry[]> {
  const reference = secretReference(env, headerValueSecret);
  return z
    .custom<ReadonlyMap<string, unknown>>(
      isMap,
      "must be a map of header names to texts or references",
    )
    .transform((map, context) => {
      const entries: HeaderEntry[] = [];
      const error = (message: string, ...path: PropertyKey[]): void => {
        context.addIssue({ code: "custom", message, path });
      };
      for (const [index, [given, value]] of [...map].entries()) {
        const name = given.toLowerCase();
        const isKnown = entries.some((entry) => entry.name === name);
        if (!NAME.test(given)) {
          // Not repeated: it may be a whole line, with the value of the header.
          error(`name ${index + 1} is not a header name`);
        } else if (RESERVED.test(name)) {
          error("is set by Hexhook or by HTTP itself; take it away", given);
        } else if (isKnown) {
          error("is there twice, but for upper and lower case", given);
        } else if (isMap(value)) {
          const read = reference.safeParse(value);
          for (const { message, path } of read.error?.issues ?? []) {
            error(message, given, ...path);
          }
          const secret = read.data ?? null;
          entries.push({ name, value: secret?.value ?? "", secret });
        } else {
          const found = literalError(name, value);
          if (found !== null) {
            error(found, given);
          }
          entries.push({ name, value: String(value), secret: null });
        }
      }
      if (entries.length > MAX_HEADERS || bytesOf(entries) > MAX_TOTAL_BYTES) {
        const limits = `${MAX_HEADERS} headers and ${MAX_TOTAL_BYTES} bytes`;
        error(`must have at most ${limits} in all`);
      }
      return entries;
    });
}

function literalError(name: string, value: unknown): string | null {
  if (typeof value !== "string") {
    return "must be a text (in quotes), { env: NAME } or { file: PATH }";
  }
  if (CREDENTIAL_NAME.test(name) || CREDENTIAL_VALUE.test(value)) {
    return "carries a credential, so it must be { env: NAME } or { file: PATH }; a secret does not belong into this file";
  }
  return headerValueError(value);
}

function bytesOf(entries: readonly HeaderEntry[]): number {
  return entries.reduce(
    (sum, { name, value }) => sum + name.length + value.length + 4,
    0,
  );
}

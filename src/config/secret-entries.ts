import { z } from "zod";
import type { Scheme } from "../domain/scheme.ts";
import type { Environment } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { jsonSchemaOf, withJson } from "./json-schema.ts";
import {
  type ReferredSecret,
  referenceJson,
  secretReference,
} from "./secret-reference.ts";
import { signingSecretOf } from "./signing-secret.ts";
import { isoDate } from "./values.ts";

/** A signing secret in the file. Times are Unix milliseconds. */
export interface SecretEntry extends ReferredSecret {
  readonly createdAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

const NO_LITERALS =
  "must be a list of { env: NAME } or { file: PATH }; this file must not contain secrets";

/** The signing secrets of a source in the file. `scheme`: null = unknown. */
export function secretEntries(
  env: Environment,
  scheme: Scheme | null,
): z.ZodType<readonly SecretEntry[]> {
  const schema = z
    .array(secretEntry(env, scheme), NO_LITERALS)
    .min(1, "must not be empty")
    .superRefine(rejectCurrentExpiry, {
      when: ({ value }) => Array.isArray(value),
    });
  const createdAt = jsonSchemaOf(isoDate);
  return withJson(schema, () => ({
    type: "array",
    items: [referenceJson({ createdAt })],
    additionalItems: referenceJson({ createdAt, expiresAt: createdAt }),
    minItems: 1,
  }));
}

function secretEntry(
  env: Environment,
  scheme: Scheme | null,
): z.ZodType<SecretEntry> {
  const dates = z
    .object({ createdAt: isoDate.optional(), expiresAt: isoDate.optional() })
    .refine(
      ({ createdAt = -Infinity, expiresAt = Infinity }) =>
        createdAt < expiresAt,
      { path: ["expiresAt"], message: "must be later than createdAt" },
    );
  return z.intersection(
    secretReference(env, signingSecretOf(scheme), ["createdAt", "expiresAt"]),
    z
      .unknown()
      .transform((value): unknown =>
        isMap(value) ? Object.fromEntries(value) : {},
      )
      .pipe(dates),
  );
}

/** Rejects an expiry date of the current secret: from that time on, requests signed with it would be rejected. */
function rejectCurrentExpiry(
  [current]: readonly SecretEntry[],
  context: z.RefinementCtx,
): void {
  if (current?.expiresAt !== undefined) {
    const message =
      "is not allowed on the first secret, which is the current one; put the new secret before it";
    context.addIssue({ code: "custom", message, path: [0, "expiresAt"] });
  }
}

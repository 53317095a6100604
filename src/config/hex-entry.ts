import { z } from "zod";
import { HEX_SCHEME_NAMES } from "../signature/schemes.ts";
import type { Environment } from "./environment.ts";
import { checked, type ConfigFile } from "./file.ts";
import {
  distinct,
  isDestinationName,
  isMap,
  mapOf,
  textThat,
} from "./file-values.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import { isoDate, oneOf, signingSecret } from "./values.ts";

/** A signing secret in the file. Times are Unix milliseconds. */
export interface SecretEntry extends ReferredSecret {
  readonly createdAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** The settings of source `hex` in the file. Missing ones come from the environment. */
export interface HexEntry {
  readonly scheme?: string | undefined;
  /** The first one is the current secret. */
  readonly secrets?: readonly SecretEntry[] | undefined;
  readonly onReplay?: "reject" | "acknowledge" | undefined;
  /** Names of destinations in the file. */
  readonly destinations?: readonly string[] | undefined;
}

const NO_LITERALS =
  "must be a list of { env: NAME } or { file: PATH }; this file must not contain secrets";

const MAX_LISTED_NAMES = 10;

/** Reads source `hex` of the file. Returns its valid settings, and adds errors to `errors`. */
export function readHexEntry(
  file: ConfigFile | null,
  env: Environment,
  errors: string[],
): HexEntry {
  // If the secrets are, or may be, in the file, a missing HEX_SECRET is not reported.
  const secretsInFile: HexEntry = { secrets: [] };
  if (file === null) {
    return secretsInFile;
  }
  const { hex, destinations } = file;
  if (hex === undefined) {
    return {};
  }
  const entry = checked(
    hexEntry(env, [...destinations.keys()]),
    hex,
    ["sources", "hex"],
    errors,
  );
  return entry ?? (isMap(hex) && hex.has("secrets") ? secretsInFile : {});
}

function hexEntry(
  env: Environment,
  destinations: readonly string[],
): z.ZodType<HexEntry> {
  return mapOf({
    scheme: oneOf(HEX_SCHEME_NAMES).optional(),
    secrets: z
      .array(secretEntry(env), NO_LITERALS)
      .min(1, "must not be empty")
      .superRefine(rejectCurrentExpiry, {
        when: ({ value }) => Array.isArray(value),
      })
      .optional(),
    onReplay: oneOf(["reject", "acknowledge"]).optional(),
    destinations: distinct(
      textThat(
        (name) => destinations.includes(name),
        `must be the name of a destination in this file (${listed(destinations)})`,
      ),
      "destination names",
    ).optional(),
  });
}

function secretEntry(env: Environment): z.ZodType<SecretEntry> {
  const dates = z
    .object({ createdAt: isoDate.optional(), expiresAt: isoDate.optional() })
    .refine(
      ({ createdAt = -Infinity, expiresAt = Infinity }) =>
        createdAt < expiresAt,
      { path: ["expiresAt"], message: "must be later than createdAt" },
    );
  return z.intersection(
    secretReference(env, signingSecret, ["createdAt", "expiresAt"]),
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

function listed(names: readonly string[]): string {
  const valid = names.filter(isDestinationName);
  const more = valid.length > MAX_LISTED_NAMES ? ", …" : "";
  return valid.length === 0
    ? "there are none"
    : `${valid.slice(0, MAX_LISTED_NAMES).join(", ")}${more}`;
}

import { z } from "zod";
import { SCHEME_NAMES, type SchemeName } from "../signature/scheme.ts";
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

/** A signing secret of the file. Times are unix milliseconds. */
export interface SecretEntry extends ReferredSecret {
  readonly createdAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** What the file says of source `hex`; what it leaves open, the environment says. */
export interface HexEntry {
  readonly scheme?: SchemeName | undefined;
  /** The first is the one in force. */
  readonly secrets?: readonly SecretEntry[] | undefined;
  readonly onReplay?: "reject" | "acknowledge" | undefined;
  /** Names of destinations of the file. */
  readonly destinations?: readonly string[] | undefined;
}

const NO_LITERALS =
  "must be a list of { env: NAME } or { file: PATH }; a secret does not belong into this file";

const MAX_NAMES_TOLD = 10;

/** Source `hex` of the file, as far as it could be read; what is wrong goes into `errors`. */
export function readHexEntry(
  file: ConfigFile | null,
  env: Environment,
  errors: string[],
): HexEntry {
  // Whoever has, or may have, its secrets in the file is not to be told that HEX_SECRET is missing.
  const elsewhere: HexEntry = { secrets: [] };
  if (file === null) {
    return elsewhere;
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
  return entry ?? (isMap(hex) && hex.has("secrets") ? elsewhere : {});
}

function hexEntry(
  env: Environment,
  destinations: readonly string[],
): z.ZodType<HexEntry> {
  return mapOf({
    scheme: oneOf(SCHEME_NAMES).optional(),
    secrets: z
      .array(secretEntry(env), NO_LITERALS)
      .min(1, "must not be empty")
      .superRefine(currentWithoutEnd, {
        when: ({ value }) => Array.isArray(value),
      })
      .optional(),
    onReplay: oneOf(["reject", "acknowledge"]).optional(),
    destinations: distinct(
      textThat(
        (name) => destinations.includes(name),
        `must be the name of a destination of this file (${told(destinations)})`,
      ),
      "names of destinations",
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
      .transform((given): unknown =>
        isMap(given) ? Object.fromEntries(given) : {},
      )
      .pipe(dates),
  );
}

/** On that day every sender would be refused. */
function currentWithoutEnd(
  [current]: readonly SecretEntry[],
  context: z.RefinementCtx,
): void {
  if (current?.expiresAt !== undefined) {
    const message =
      "the first secret is the one in force and has no end; put the new one before it";
    context.addIssue({ code: "custom", message, path: [0, "expiresAt"] });
  }
}

function told(names: readonly string[]): string {
  const good = names.filter(isDestinationName);
  const more = good.length > MAX_NAMES_TOLD ? ", …" : "";
  return good.length === 0
    ? "it has none"
    : `${good.slice(0, MAX_NAMES_TOLD).join(", ")}${more}`;
}

import { z } from "zod";
import type { Scheme } from "../domain/scheme.ts";
import { HEX_SCHEME_NAMES } from "../signature/schemes.ts";
import type { Environment } from "./environment.ts";
import { collecting, lineAt } from "./errors.ts";
import { checked, type ConfigFile } from "./file.ts";
import {
  distinct,
  forbidden,
  INVALID_NAME,
  isMap,
  isValidName,
  mapOf,
  trueOrFalse,
  wholeNumber,
} from "./file-values.ts";
import { hexSecrets } from "./hex-variables.ts";
import { nearestName } from "./nearest-name.ts";
import { readScheme } from "./scheme-entry.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import { handshakeToken, signingSecretOf } from "./signing-secret.ts";
import {
  calledUrl,
  durationWithin,
  isoDate,
  MAX_BODY_BYTES,
  mediaType,
  networkAddress,
  oneOf,
} from "./values.ts";

/** A signing secret in the file. Times are Unix milliseconds. */
export interface SecretEntry extends ReferredSecret {
  readonly createdAt?: number | undefined;
  readonly expiresAt?: number | undefined;
}

/** The settings of one source in the file. Missing ones get a default. */
export interface SourceSettings {
  /** The first one is the current secret. */
  readonly secrets?: readonly SecretEntry[] | undefined;
  readonly onReplay?: "reject" | "acknowledge" | undefined;
  /** Names of destinations in the file. */
  readonly destinations?: readonly string[] | undefined;
  readonly publicUrl?: string | undefined;
  /** Milliseconds. */
  readonly replayWindow?: number | undefined;
  readonly allowFrom?: readonly string[] | undefined;
  readonly maxBodyBytes?: number | undefined;
  readonly mediaTypes?: readonly string[] | undefined;
  readonly disabled?: boolean | undefined;
  readonly handshake?:
    { readonly verifyToken?: ReferredSecret | undefined } | undefined;
}

/** A source in the file. */
export interface SourceEntry {
  readonly name: string;
  /** Null: of source `hex`, the one in the environment. */
  readonly scheme: Scheme | null;
  readonly settings: SourceSettings;
}

const NO_LITERALS =
  "must be a list of { env: NAME } or { file: PATH }; this file must not contain secrets";

const MAX_LISTED_NAMES = 10;

/**
 * Reads the sources of the file. Returns the valid ones in its order, and adds the errors of the others to `errors`. Returns
 * source `hex` without settings if the file has no sources.
 *
 * `hexScheme`: the scheme of source `hex` in the environment.
 */
export function readSourceEntries(
  file: ConfigFile | null,
  env: Environment,
  hexScheme: Scheme,
  errors: string[],
): readonly SourceEntry[] {
  if (file === null) {
    return [];
  }
  const { sources, destinations } = file;
  if (sources === null) {
    return [{ name: "hex", scheme: null, settings: {} }];
  }
  return [...sources].flatMap(([name, value]) => {
    const path = ["sources", name];
    if (!isValidName(name)) {
      errors.push(lineAt(path, INVALID_NAME));
    }
    const scheme = readScheme(name, value, errors);
    const usedScheme = scheme === "default" ? hexScheme : scheme;
    const settings = checked(
      sourceSettings(env, name, usedScheme, [...destinations.keys()]),
      value,
      path,
      errors,
    );
    if (settings !== null && scheme !== null) {
      return [{ name, scheme: scheme === "default" ? null : scheme, settings }];
    }
    if (isFromVariables(name, usedScheme) && !has(value, "secrets")) {
      // Reported now, because no source is built.
      collecting(errors, () => hexSecrets(env, []));
    }
    return [];
  });
}

function has(value: unknown, key: string): boolean {
  return isMap(value) && value.has(key);
}

/** `scheme`: null = it is not valid, so what depends on it is not checked. */
function sourceSettings(
  env: Environment,
  name: string,
  scheme: Scheme | null,
  destinations: readonly string[],
): z.ZodType<SourceSettings> {
  const secrets = z
    .array(secretEntry(env, scheme), NO_LITERALS)
    .min(1, "must not be empty")
    .superRefine(rejectCurrentExpiry, {
      when: ({ value }) => Array.isArray(value),
    });
  const anySecrets = isFromVariables(name, scheme)
    ? secrets.optional()
    : z
        .custom<unknown>(
          (value) => value !== undefined,
          "is missing; add a list such as [{ env: NAME }]",
        )
        .pipe(secrets);
  const { keys, unlisted } = keysOfScheme(env, scheme);
  return mapOf(
    {
      scheme: z.unknown().optional(),
      secrets: anySecrets,
      onReplay: oneOf(["reject", "acknowledge"]).optional(),
      destinations: distinct(
        destinationName(destinations),
        "destination names",
      ).optional(),
      publicUrl: calledUrl.optional(),
      allowFrom: distinct(networkAddress, "addresses and networks")
        .refine((list) => list.length > 0, NOT_EMPTY)
        .optional(),
      maxBodyBytes: wholeNumber(1, MAX_BODY_BYTES).optional(),
      mediaTypes: mediaTypes(scheme).optional(),
      disabled: trueOrFalse.optional(),
      ...keys,
    },
    { unlisted },
  );
}

const NOT_EMPTY = "must not be empty; remove it for the default";

/** Whether the secrets of a source may come from HEX_SECRET and HEX_SECRET_PREVIOUS. */
export function isFromVariables(name: string, scheme: Scheme | null): boolean {
  const names: readonly string[] = HEX_SCHEME_NAMES;
  return name === "hex" && (scheme === null || names.includes(scheme.name));
}

/** The keys that only some schemes have. */
function keysOfScheme(env: Environment, scheme: Scheme | null) {
  const { name = "" } = scheme ?? {};
  const hasWindow = scheme === null || scheme.timestamp !== null;
  const hasToken = scheme === null || scheme.handshake === "meta";
  const isFor = (own: string): boolean => scheme === null || name === own;
  const applies = {
    replayWindow: hasWindow,
    handshake: hasToken,
    custom: isFor("custom"),
    token: isFor("token"),
  };
  const keys = {
    replayWindow: hasWindow
      ? replayWindow.optional()
      : forbidden(
          `does not apply to scheme ${name}, which signs no time; remove it`,
        ),
    handshake: hasToken
      ? mapOf({
          verifyToken: secretReference(env, handshakeToken).optional(),
        }).optional()
      : forbidden(
          `does not apply to scheme ${name}, whose handshake needs no token; remove it`,
        ),
    // `readScheme` checks their values.
    custom: applies.custom
      ? z.unknown().optional()
      : forbidden(`applies only to scheme custom; remove it`),
    token: applies.token
      ? z.unknown().optional()
      : forbidden(`applies only to scheme token; remove it`),
  };
  const names = ["replayWindow", "handshake", "custom", "token"] as const;
  return { keys, unlisted: names.filter((key) => !applies[key]) };
}

const replayWindow = durationWithin("1s", "15m").refine(
  (ms) => ms % 1000 === 0,
  "must be a whole number of seconds",
);

function destinationName(destinations: readonly string[]): z.ZodType<string> {
  const valid = destinations.filter(isValidName);
  const error = `must be the name of a destination in this file (${listed(valid)})`;
  return z.string(error).superRefine((name, context) => {
    if (!destinations.includes(name)) {
      const nearest = nearestName(name, valid);
      context.addIssue(
        nearest === null ? error : `${error}; did you mean ${nearest}?`,
      );
    }
  });
}

/** Whether the body must be JSON, because the scheme reads something from it that it requires. */
function needsJson(scheme: Scheme): boolean {
  const { signature, timestamp, id, type } = scheme;
  return (
    "pointer" in signature.from ||
    (timestamp !== null && "pointer" in timestamp.from) ||
    id.isRequired === true ||
    type.isRequired === true
  );
}

function mediaTypes(scheme: Scheme | null): z.ZodType<readonly string[]> {
  const item =
    scheme !== null && needsJson(scheme)
      ? mediaType.refine(
          (type) => /^application\/(?:[^/*]+\+)?json$/.test(type),
          `must be application/json or end with +json, because scheme ${scheme.name} reads the body`,
        )
      : mediaType;
  return distinct(item, "media types").refine(
    (list) => list.length > 0,
    NOT_EMPTY,
  );
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

function listed(names: readonly string[]): string {
  const more = names.length > MAX_LISTED_NAMES ? ", …" : "";
  return names.length === 0
    ? "there are none"
    : `${names.slice(0, MAX_LISTED_NAMES).join(", ")}${more}`;
}

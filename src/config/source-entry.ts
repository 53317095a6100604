import { z } from "zod";
import type { Scheme } from "../domain/scheme.ts";
import { HEX_SCHEME_NAMES, SCHEME_NAMES } from "../signature/schemes.ts";
import type { Environment } from "./environment.ts";
import { CUSTOM_KEYS, customSettings, tokenSettings } from "./custom-entry.ts";
import { collecting, lineAt } from "./errors.ts";
import { checked, type ConfigFile } from "./file.ts";
import {
  distinct,
  forbidden,
  INVALID_NAME,
  isMap,
  isValidName,
  mapOf,
  NAME,
  present,
  textThat,
  trueOrFalse,
  wholeNumber,
} from "./file-values.ts";
import { hexSecrets } from "./hex-variables.ts";
import {
  checkedElsewhere,
  described,
  jsonSchemaOf,
  withJson,
} from "./json-schema.ts";
import { nearestName } from "./nearest-name.ts";
import { readScheme } from "./scheme-entry.ts";
import { type SecretEntry, secretEntries } from "./secret-entries.ts";
import { type ReferredSecret, secretReference } from "./secret-reference.ts";
import { handshakeToken } from "./signing-secret.ts";
import {
  calledUrl,
  MAX_BODY_BYTES,
  mediaType,
  networkAddress,
  oneOf,
  wholeSeconds,
} from "./values.ts";

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

const MAX_LISTED_NAMES = 10;

/** Where the keys of `custom` belong if they are keys of the source by mistake. */
const OF_CUSTOM = new Map(CUSTOM_KEYS.map((key) => [key, `custom.${key}`]));

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
      sourceSettings(env, name, usedScheme, [...destinations.keys()], {
        nested: isCustom(value) ? OF_CUSTOM : undefined,
      }),
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

function isCustom(value: unknown): boolean {
  return isMap(value) && value.get("scheme") === "custom";
}

function has(value: unknown, key: string): boolean {
  return isMap(value) && value.has(key);
}

/** `scheme`: null = it is not valid, so what depends on it is not checked. `nested`: as of `mapOf`. */
export function sourceSettings(
  env: Environment,
  name: string,
  scheme: Scheme | null,
  destinations: readonly string[],
  options: { nested?: ReadonlyMap<string, string> | undefined } = {},
): z.ZodType<SourceSettings> {
  const secrets = secretEntries(env, scheme);
  const { keys, unlisted } = keysOfScheme(env, scheme);
  return mapOf(
    {
      // `readScheme` checks it.
      scheme: described(
        "The signature scheme of the sender",
        checkedElsewhere(() => ({ enum: SCHEME_NAMES }), {
          isRequired: name !== "hex",
        }),
      ),
      secrets: described(
        "The signing secrets. All are accepted; the first one is the current one",
        isFromVariables(name, scheme)
          ? secrets.optional()
          : present(secrets, "is missing; add a list such as [{ env: NAME }]"),
      ),
      onReplay: described(
        "The response to a replay: 409, or 200 as to a duplicate",
        oneOf(["reject", "acknowledge"]).optional(),
      ),
      destinations: described(
        "The destinations that get the events. Without it, all of them",
        distinct(destinationName(destinations), "destination names").optional(),
      ),
      publicUrl: described(
        "The URL that the sender calls, without a query",
        calledUrl.optional(),
      ),
      allowFrom: described(
        "The addresses and networks that may send",
        distinct(networkAddress, "addresses and networks", {
          minItems: 1,
        }).optional(),
      ),
      maxBodyBytes: wholeNumber(1, MAX_BODY_BYTES).optional(),
      mediaTypes: described(
        "The accepted media types, instead of those of the scheme",
        mediaTypes(scheme).optional(),
      ),
      disabled: described(
        "Whether the source responds with 404",
        trueOrFalse.optional(),
      ),
      ...keys,
    },
    { unlisted, nested: options.nested },
  );
}

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
      ? described(
          "The largest difference to the signed time: 1s to 15m",
          wholeSeconds.optional(),
        )
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
    custom: isFor("custom")
      ? settingsOf(customSettings, name)
      : forbidden("applies only to scheme custom; remove it"),
    token: isFor("token")
      ? settingsOf(tokenSettings, name)
      : forbidden("applies only to scheme token; remove it"),
  };
  const names = ["replayWindow", "handshake", "custom", "token"] as const;
  return { keys, unlisted: names.filter((key) => !applies[key]) };
}

/** The settings that describe the scheme of a source. `readScheme` checks them. `scheme`: its name, or "" if it is unknown. */
function settingsOf(settings: z.ZodType, scheme: string): z.ZodType {
  return checkedElsewhere(() => jsonSchemaOf(settings), {
    isRequired: scheme !== "",
  });
}

function destinationName(destinations: readonly string[]): z.ZodType<string> {
  const valid = destinations.filter(isValidName);
  const error = `must be the name of a destination in this file (${listed(valid)})`;
  const schema = z.string(error).superRefine((name, context) => {
    if (!destinations.includes(name)) {
      const nearest = nearestName(name, valid);
      context.addIssue(
        nearest === null ? error : `${error}; did you mean ${nearest}?`,
      );
    }
  });
  return withJson(schema, () => ({ type: "string", pattern: NAME.source }));
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

const JSON_TYPE = /^application\/(?:[^/*]+\+)?json$/;

function mediaTypes(scheme: Scheme | null): z.ZodType<readonly string[]> {
  const item =
    scheme !== null && needsJson(scheme)
      ? textThat(
          (type) => JSON_TYPE.test(type) && mediaType.safeParse(type).success,
          `must be application/json or end with +json, because scheme ${scheme.name} reads the body`,
          JSON_TYPE,
        )
      : mediaType;
  return distinct(item, "media types", { minItems: 1 });
}

function listed(names: readonly string[]): string {
  const more = names.length > MAX_LISTED_NAMES ? ", …" : "";
  return names.length === 0
    ? "there are none"
    : `${names.slice(0, MAX_LISTED_NAMES).join(", ")}${more}`;
}

import { keyIdOf } from "../domain/key-id.ts";
import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { readSecretVariable } from "../config/environment.ts";
import { nearestName } from "../config/nearest-name.ts";
import { signingSecretError } from "../config/signing-secret.ts";
import { type Environment, readVariables } from "../config/load-config.ts";
import { readKey } from "../signature/keys.ts";
import { SCHEME_NAMES, schemeOf } from "../signature/schemes.ts";

/** Schemes that only a configuration file can describe. */
const CONFIGURED_SCHEMES: readonly string[] = ["custom", "token"];

/** Names that `--scheme` may have. */
export const SCHEME_OPTION_NAMES = SCHEME_NAMES.filter(
  (name) => !CONFIGURED_SCHEMES.includes(name),
);

/** Returns the variable that holds the signing secret of a scheme, for commands with `--scheme`. */
export function secretVariableOf(scheme: string): string {
  return scheme === "hex" || scheme === "hex-body"
    ? "HEX_SECRET"
    : variableOf(scheme, "SECRET");
}

/**
 * Returns a source for `--scheme`, without a configuration file. Its name is that of the scheme. Its secret is in the variable
 * that `secretVariableOf` names, or in the file of that name with `_FILE`. If neither is set, it has no secrets.
 *
 * Throws UsageError for an unknown scheme, ConfigError for a secret that the scheme cannot use.
 */
export function sourceOfScheme(env: Environment, name: string): Source {
  if (!SCHEME_OPTION_NAMES.includes(name)) {
    throw new UsageError(`--scheme: ${unknownSchemeError(name)}`);
  }
  const scheme = schemeOf(name);
  const { MAX_BODY_BYTES: maxBodyBytes } = readVariables(env, [
    "MAX_BODY_BYTES",
  ]);
  const variable = secretVariableOf(name);
  const secret = textIn(env, variable);
  const token =
    scheme.handshake === "meta"
      ? textIn(env, variableOf(name, "VERIFY_TOKEN"))
      : null;
  return {
    name,
    scheme,
    secrets:
      secret === null ? [] : [secretOfText(scheme, secret.from, secret.text)],
    onReplay: scheme.onReplay,
    replayWindowSeconds: scheme.timestamp?.windowSeconds ?? 300,
    publicUrl: null,
    allowFrom: null,
    maxBodyBytes,
    mediaTypes: null,
    isDisabled: false,
    verifyToken: token === null ? null : tokenOf(token.from, token.text),
    sharesSecretWith: [],
  };
}

/** Returns the secret of a source from a text. Throws ConfigError if the scheme cannot use it. */
export function secretOfText(
  scheme: Scheme,
  name: string,
  text: string,
): SigningSecret {
  const key = readKey(scheme, text);
  const error =
    signingSecretError(scheme, text) ?? ("error" in key ? key.error : null);
  if (error !== null || "error" in key) {
    throw new ConfigError([`${name}: ${error ?? "is not valid"}`]);
  }
  const keyId = keyIdOf(text);
  return { name, keyId, text, ...key, createdAt: null, expiresAt: null };
}

function tokenOf(name: string, text: string): SigningSecret {
  return {
    name,
    keyId: keyIdOf(text),
    text,
    algorithm: "token",
    key: Buffer.from(text),
    publicKey: null,
    createdAt: null,
    expiresAt: null,
  };
}

function unknownSchemeError(name: string): string {
  if (CONFIGURED_SCHEMES.includes(name)) {
    return `${name} has no fixed format; describe it in HEXHOOK_CONFIG, and leave out --scheme`;
  }
  const nearest = nearestName(name, SCHEME_OPTION_NAMES);
  const known =
    nearest === null
      ? `the schemes are ${SCHEME_OPTION_NAMES.join(", ")}`
      : `did you mean ${nearest}?`;
  return `there is no scheme ${JSON.stringify(name)}; ${known}`;
}

/** Reads a variable or the file that it names with `_FILE`. Null: neither is set. */
function textIn(
  env: Environment,
  name: string,
): { from: string; text: string } | null {
  const read = readSecretVariable(env, name);
  if ("error" in read) {
    throw new ConfigError([`${read.from}: ${read.error}`]);
  }
  return read.text ? { from: read.from, text: read.text } : null;
}

function variableOf(scheme: string, what: string): string {
  return `${scheme.replaceAll("-", "_").toUpperCase()}_${what}`;
}

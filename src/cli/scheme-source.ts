import { keyIdOf } from "../domain/key-id.ts";
import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { ConfigError, UsageError } from "../errors.ts";
import { readSecretVariable } from "../config/environment.ts";
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
    throw new UsageError(
      CONFIGURED_SCHEMES.includes(name)
        ? `--scheme: ${name} has no fixed format; describe it in HEXHOOK_CONFIG, and use --source`
        : `--scheme: there is no scheme ${JSON.stringify(name)}; the schemes are ${SCHEME_OPTION_NAMES.join(", ")}`,
    );
  }
  const scheme = schemeOf(name);
  const { MAX_BODY_BYTES: maxBodyBytes } = readVariables(env, [
    "MAX_BODY_BYTES",
  ]);
  const secret = secretIn(env, secretVariableOf(name), scheme);
  return {
    name,
    scheme,
    secrets: secret === null ? [] : [secret],
    onReplay: scheme.onReplay,
    replayWindowSeconds: scheme.timestamp?.windowSeconds ?? 300,
    publicUrl: null,
    allowFrom: null,
    maxBodyBytes,
    mediaTypes: null,
    isDisabled: false,
    verifyToken:
      scheme.handshake === "meta"
        ? secretIn(env, variableOf(name, "VERIFY_TOKEN"))
        : null,
    sharesSecretWith: [],
  };
}

/** Returns the secret of a source from a text. Throws ConfigError if it is not a secret of the scheme. */
export function secretOfText(
  name: string,
  text: string,
  scheme?: Scheme,
): SigningSecret {
  const key =
    scheme === undefined
      ? {
          algorithm: "token" as const,
          key: Buffer.from(text),
          publicKey: null,
        }
      : readKey(scheme, text);
  if ("error" in key) {
    throw new ConfigError([`${name}: ${key.error}`]);
  }
  const keyId = keyIdOf(text);
  return { name, keyId, text, ...key, createdAt: null, expiresAt: null };
}

function secretIn(
  env: Environment,
  name: string,
  scheme?: Scheme,
): SigningSecret | null {
  const read = readSecretVariable(env, name);
  if ("error" in read) {
    throw new ConfigError([`${read.from}: ${read.error}`]);
  }
  return read.text ? secretOfText(read.from, read.text, scheme) : null;
}

function variableOf(scheme: string, what: string): string {
  return `${scheme.replaceAll("-", "_").toUpperCase()}_${what}`;
}

import type { Scheme } from "../domain/scheme.ts";
import type { SigningSecret, Source } from "../domain/source.ts";
import { ConfigError } from "../errors.ts";
import { keyIdOf } from "../domain/key-id.ts";
import { readKey } from "../signature/keys.ts";
import { schemeOf } from "../signature/schemes.ts";
import { type Environment, readVariables } from "./environment.ts";
import { collecting, lineAt } from "./errors.ts";
import type { HexEntry, SecretEntry } from "./hex-entry.ts";

const SECRET_VARIABLES = [
  "HEX_SECRET",
  "HEX_SECRET_CREATED_AT",
  "HEX_SECRET_PREVIOUS",
  "HEX_SECRET_PREVIOUS_EXPIRES_AT",
] as const;

/** The variables that configure source `hex`. */
export const SOURCE_VARIABLES = [
  ...SECRET_VARIABLES,
  "HEX_SIGNATURE_SCHEME",
] as const;

export type SourceVariable = (typeof SOURCE_VARIABLES)[number];

/** A secret from the environment or the file. `at` formats a message about its place. `name` is its short name. */
interface ConfiguredSecret {
  readonly value: string;
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly at: (text: string) => string;
  readonly name: string;
}

/**
 * Builds source `hex` from the file and, for settings that the file leaves out, from the environment. Returns null if the secrets
 * or the scheme cannot be read. Adds errors to `errors`, and valid but suspicious settings to `warnings`.
 */
export function hexSource(
  env: Environment,
  entry: HexEntry,
  errors: string[],
  warnings: string[],
): Source | null {
  const secrets = collecting(errors, () =>
    entry.secrets === undefined
      ? secretsOfEnvironment(env, warnings)
      : secretsOfFile(entry.secrets),
  );
  const values = collecting(errors, () =>
    readVariables(env, [
      "HEX_SIGNATURE_SCHEME",
      "REPLAY_WINDOW_SECONDS",
      "MAX_BODY_BYTES",
    ]),
  );
  if (secrets === null || values === null) {
    return null;
  }
  errors.push(...duplicateErrors(secrets));
  if (entry.secrets !== undefined) {
    warnings.push(...ignoredVariableWarnings(env, entry.secrets));
  }
  const fallback = values.HEX_SIGNATURE_SCHEME;
  const { scheme: schemeName = fallback } = entry;
  const scheme = schemeOf(schemeName);
  const { onReplay = scheme.onReplay } = entry;
  if (env["HEX_SIGNATURE_SCHEME"] && schemeName !== fallback) {
    warnings.push(
      "HEX_SIGNATURE_SCHEME: is ignored because HEXHOOK_CONFIG sets another scheme",
    );
  }
  for (const { expiresAt, at, name } of secrets.slice(1)) {
    if (expiresAt === null) {
      const advice =
        entry.secrets === undefined
          ? `set ${name}_EXPIRES_AT`
          : "set expiresAt";
      warnings.push(at(`is accepted indefinitely; ${advice}`));
    }
  }
  return Object.freeze({
    name: "hex",
    scheme,
    secrets: Object.freeze(
      secrets.map((secret) => signingSecret(scheme, secret)),
    ),
    onReplay,
    replayWindowSeconds: values.REPLAY_WINDOW_SECONDS,
    publicUrl: null,
    allowFrom: null,
    maxBodyBytes: values.MAX_BODY_BYTES,
    mediaTypes: null,
    isDisabled: false,
    verifyToken: null,
    sharesSecretWith: Object.freeze([]),
  });
}

function secretsOfEnvironment(
  env: Environment,
  warnings: string[],
): ConfiguredSecret[] {
  const values = readVariables(env, SECRET_VARIABLES);
  const previous = values.HEX_SECRET_PREVIOUS;
  const expiresAt = values.HEX_SECRET_PREVIOUS_EXPIRES_AT;
  if (previous === null && expiresAt !== null) {
    warnings.push(
      "HEX_SECRET_PREVIOUS_EXPIRES_AT: is ignored because HEX_SECRET_PREVIOUS is not set",
    );
  }
  const secretOf = (
    name: string,
    value: string,
    dates: { createdAt: number | null; expiresAt: number | null },
  ): ConfiguredSecret => ({
    value,
    ...dates,
    at: (text) => `${name}: ${text}`,
    name,
  });
  const createdAt = values.HEX_SECRET_CREATED_AT;
  return [
    secretOf("HEX_SECRET", values.HEX_SECRET, { createdAt, expiresAt: null }),
    ...(previous === null
      ? []
      : [
          secretOf("HEX_SECRET_PREVIOUS", previous, {
            createdAt: null,
            expiresAt,
          }),
        ]),
  ];
}

function secretsOfFile(entries: readonly SecretEntry[]): ConfiguredSecret[] {
  return entries.map(({ value, createdAt, expiresAt }, index) => ({
    value,
    createdAt: createdAt ?? null,
    expiresAt: expiresAt ?? null,
    at: (text) => lineAt(["sources", "hex", "secrets", index], text),
    name: `secrets[${index}]`,
  }));
}

function duplicateErrors(secrets: readonly ConfiguredSecret[]): string[] {
  return secrets.flatMap(({ value, at }, index) => {
    const first = secrets.findIndex((other) => other.value === value);
    const other = secrets[first];
    return other === undefined || first === index
      ? []
      : [at(`is the same as ${other.name}; use a new secret`)];
  });
}

/** Warns about variables that are set but not used, because the file lists the secrets. */
function ignoredVariableWarnings(
  env: Environment,
  entries: readonly SecretEntry[],
): string[] {
  const referred = new Set(entries.map(({ variable }) => variable));
  return SECRET_VARIABLES.filter((name) => !referred.has(name))
    .flatMap((name) => (name.endsWith("_AT") ? [name] : [name, `${name}_FILE`]))
    .filter((name) => env[name])
    .map(
      (name) =>
        `${name}: is ignored because HEXHOOK_CONFIG lists the secrets of hex`,
    );
}

function signingSecret(
  scheme: Scheme,
  secret: ConfiguredSecret,
): SigningSecret {
  const { name, value, createdAt, expiresAt } = secret;
  const key = readKey(scheme, value);
  if ("error" in key) {
    throw new ConfigError([secret.at(key.error)]);
  }
  return Object.freeze({
    name,
    keyId: keyIdOf(value),
    text: value,
    ...key,
    createdAt,
    expiresAt,
  });
}

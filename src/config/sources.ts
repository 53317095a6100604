import type { SigningSecret, Source } from "../domain/source.ts";
import { keyIdOf } from "../domain/key-id.ts";
import { schemeOf } from "../signature/scheme.ts";
import { type Environment, readVariables } from "./environment.ts";
import { collecting, lineAt } from "./errors.ts";
import type { HexEntry, SecretEntry } from "./hex-entry.ts";

const SECRET_VARIABLES = [
  "HEX_SECRET",
  "HEX_SECRET_CREATED_AT",
  "HEX_SECRET_PREVIOUS",
  "HEX_SECRET_PREVIOUS_EXPIRES_AT",
] as const;

/** The variables that source `hex` is made of. */
export const SOURCE_VARIABLES = [
  ...SECRET_VARIABLES,
  "HEX_SIGNATURE_SCHEME",
] as const;

export type SourceVariable = (typeof SOURCE_VARIABLES)[number];

/** A secret with what to say about it: its place in full, and its name beside the others. */
interface GivenSecret {
  readonly value: string;
  readonly createdAt: number | null;
  readonly expiresAt: number | null;
  readonly at: (text: string) => string;
  readonly name: string;
}

/**
 * Source `hex`: what the file says of it, and for the rest the environment. Null when that does not suffice. What is
 * wrong goes into `errors`, what is odd without being wrong into `warnings`.
 */
export function hexSource(
  env: Environment,
  entry: HexEntry,
  errors: string[],
  warnings: string[],
): Source | null {
  const given = collecting(errors, () =>
    entry.secrets === undefined
      ? secretsOfEnvironment(env, warnings)
      : secretsOfFile(entry.secrets),
  );
  const values = collecting(errors, () =>
    readVariables(env, ["HEX_SIGNATURE_SCHEME"]),
  );
  if (given === null || values === null) {
    return null;
  }
  errors.push(...repeated(given));
  if (entry.secrets !== undefined) {
    warnings.push(...ignoredSecrets(env, entry.secrets));
  }
  const fallback = values.HEX_SIGNATURE_SCHEME;
  const { scheme = fallback } = entry;
  const { onReplay = schemeOf(scheme).onReplay } = entry;
  if (env["HEX_SIGNATURE_SCHEME"] && scheme !== fallback) {
    warnings.push(
      "HEX_SIGNATURE_SCHEME: is set, but HEXHOOK_CONFIG says another scheme; ignored",
    );
  }
  for (const { expiresAt, at, name } of given.slice(1)) {
    if (expiresAt === null) {
      const cure =
        entry.secrets === undefined
          ? `set ${name}_EXPIRES_AT`
          : "give it expiresAt";
      warnings.push(at(`is accepted without end; ${cure}`));
    }
  }
  return Object.freeze({
    name: "hex",
    scheme,
    secrets: Object.freeze(given.map(signingSecret)),
    onReplay,
  });
}

function secretsOfEnvironment(
  env: Environment,
  warnings: string[],
): GivenSecret[] {
  const values = readVariables(env, SECRET_VARIABLES);
  const previous = values.HEX_SECRET_PREVIOUS;
  const expiresAt = values.HEX_SECRET_PREVIOUS_EXPIRES_AT;
  if (previous === null && expiresAt !== null) {
    warnings.push(
      "HEX_SECRET_PREVIOUS_EXPIRES_AT: is set, but HEX_SECRET_PREVIOUS is not; ignored",
    );
  }
  const given = (
    name: string,
    value: string,
    dates: { createdAt: number | null; expiresAt: number | null },
  ): GivenSecret => ({
    value,
    ...dates,
    at: (text) => `${name}: ${text}`,
    name,
  });
  const createdAt = values.HEX_SECRET_CREATED_AT;
  return [
    given("HEX_SECRET", values.HEX_SECRET, { createdAt, expiresAt: null }),
    ...(previous === null
      ? []
      : [
          given("HEX_SECRET_PREVIOUS", previous, {
            createdAt: null,
            expiresAt,
          }),
        ]),
  ];
}

function secretsOfFile(entries: readonly SecretEntry[]): GivenSecret[] {
  return entries.map(({ value, createdAt, expiresAt }, index) => ({
    value,
    createdAt: createdAt ?? null,
    expiresAt: expiresAt ?? null,
    at: (text) => lineAt(["sources", "hex", "secrets", index], text),
    name: `secrets[${index}]`,
  }));
}

function repeated(secrets: readonly GivenSecret[]): string[] {
  return secrets.flatMap(({ value, at }, index) => {
    const first = secrets.findIndex((other) => other.value === value);
    const other = secrets[first];
    return other === undefined || first === index
      ? []
      : [at(`is the same as ${other.name}; a rotation needs a new one`)];
  });
}

/** Who sets a variable believes that it is in force. */
function ignoredSecrets(
  env: Environment,
  entries: readonly SecretEntry[],
): string[] {
  const referred = new Set(entries.map(({ variable }) => variable));
  return SECRET_VARIABLES.filter((name) => !referred.has(name))
    .flatMap((name) => (name.endsWith("_AT") ? [name] : [name, `${name}_FILE`]))
    .filter((name) => env[name])
    .map(
      (name) =>
        `${name}: is set, but HEXHOOK_CONFIG gives the secrets of hex without it; ignored`,
    );
}

function signingSecret(given: GivenSecret): SigningSecret {
  const { name, value, createdAt, expiresAt } = given;
  return Object.freeze({
    name,
    keyId: keyIdOf(value),
    key: Buffer.from(value, "utf8"),
    createdAt,
    expiresAt,
  });
}

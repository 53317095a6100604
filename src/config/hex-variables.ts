import { type Environment, readVariables } from "./environment.ts";
import type { ConfiguredSecret } from "./configured-secret.ts";

/** The variables with the secrets of source `hex`. */
export const HEX_SECRET_VARIABLES = [
  "HEX_SECRET",
  "HEX_SECRET_CREATED_AT",
  "HEX_SECRET_PREVIOUS",
  "HEX_SECRET_PREVIOUS_EXPIRES_AT",
] as const;

/** The variables that only configure source `hex`. */
export const HEX_VARIABLES = [
  ...HEX_SECRET_VARIABLES,
  "HEX_SIGNATURE_SCHEME",
] as const;

export type HexVariable = (typeof HEX_VARIABLES)[number];

/** Reads the secrets of source `hex` from the environment. Throws ConfigError. */
export function hexSecrets(
  env: Environment,
  warnings: string[],
): ConfiguredSecret[] {
  const values = readVariables(env, HEX_SECRET_VARIABLES);
  const previous = values.HEX_SECRET_PREVIOUS;
  const expiresAt = values.HEX_SECRET_PREVIOUS_EXPIRES_AT;
  if (previous === null && expiresAt !== null) {
    warnings.push(
      "HEX_SECRET_PREVIOUS_EXPIRES_AT: is ignored because HEX_SECRET_PREVIOUS is not set",
    );
  }
  const secretOf = (
    name: string,
    text: string,
    dates: { createdAt: number | null; expiresAt: number | null },
  ): ConfiguredSecret => ({
    text,
    ...dates,
    at: (message) => `${name}: ${message}`,
    name,
    howToExpire: `set ${name}_EXPIRES_AT`,
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

/**
 * Returns a warning for each variable of source `hex` that is set but not used. `reason`: why, such as `has no source hex`.
 * `referred`: the names that the file refers to.
 */
export function ignoredHexVariables(
  env: Environment,
  names: readonly HexVariable[],
  referred: ReadonlySet<string>,
  reason: string,
): string[] {
  return names
    .filter((name) => !referred.has(name))
    .flatMap((name) =>
      name === "HEX_SECRET" || name === "HEX_SECRET_PREVIOUS"
        ? [name, `${name}_FILE`]
        : [name],
    )
    .filter((name) => env[name])
    .map((name) => `${name}: is ignored because HEXHOOK_CONFIG ${reason}`);
}

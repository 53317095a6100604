import { readFileSync } from "node:fs";
import { parseEnv } from "node:util";
import type { z } from "zod";
import { asError, ConfigError, errorCode } from "../errors.ts";
import { readSecretFile } from "./secret.ts";
import { type ValueOf, type VariableName, VARIABLES } from "./variables.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

interface Definition {
  readonly kind: z.ZodType<unknown, string>;
  readonly default?: string;
  readonly secret?: true;
  readonly required?: true;
  readonly reload?: true;
}

const DEFINITIONS: Readonly<Record<VariableName, Definition>> = VARIABLES;

export const VARIABLE_NAMES = Object.keys(VARIABLES) as VariableName[];

/** Those that are also read from the file that NAME_FILE names. */
export const SECRET_VARIABLE_NAMES = VARIABLE_NAMES.filter(
  (name) => DEFINITIONS[name].secret,
);

/** Those that a reload applies. */
export const RELOADED_VARIABLES: ReadonlySet<string> = new Set(
  VARIABLE_NAMES.filter((name) => DEFINITIONS[name].reload),
);

/** An environment, with `.env` of the working folder behind it; real variables win. */
export function readEnvironment(env: Environment): Environment {
  let file: string;
  try {
    file = readFileSync(".env", "utf8");
  } catch (thrown) {
    if (errorCode(thrown) === "ENOENT") {
      return env;
    }
    throw new ConfigError([`.env: cannot be read: ${asError(thrown).message}`]);
  }
  return mergeEnvironments(env, parseEnv(file));
}

/** `real` over `fallback`. A real NAME also wins over a fallback's NAME_FILE, and the other way round. */
export function mergeEnvironments(
  real: Environment,
  fallback: Environment,
): Environment {
  const merged: Record<string, string | undefined> = { ...real };
  for (const [name, value] of Object.entries(fallback)) {
    const base = name.replace(/_FILE$/, "");
    if (real[base] === undefined && real[`${base}_FILE`] === undefined) {
      merged[name] = value;
    }
  }
  return merged;
}

/**
 * The values of some variables, each checked. An empty variable counts as one that is not set. Throws one ConfigError
 * that lists every fault.
 */
export function readVariables<N extends VariableName>(
  env: Environment,
  names: readonly N[],
): { [K in N]: ValueOf<K> } {
  const faults: string[] = [];
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of names) {
    values[name] = readVariable(env, name, faults);
  }
  if (faults.length > 0) {
    throw new ConfigError(faults);
  }
  return values as { [K in N]: ValueOf<K> };
}

function readVariable(
  env: Environment,
  name: VariableName,
  faults: string[],
): unknown {
  const definition = DEFINITIONS[name];
  const given = definition.secret
    ? readSecretVariable(env, name)
    : { from: name, text: env[name] };
  if ("fault" in given) {
    faults.push(`${given.from}: ${given.fault}`);
    return null;
  }
  const value = given.text || definition.default;
  if (value === undefined) {
    if (definition.required) {
      faults.push(`${name}: must be set (or ${name}_FILE, the path of a file)`);
    }
    return null;
  }
  const result = definition.kind.safeParse(value);
  if (!result.success) {
    faults.push(
      `${given.from}: ${result.error.issues[0]?.message ?? "is wrong"}`,
    );
    return null;
  }
  return result.data;
}

/** The text of a secret, unchecked, out of NAME or of the file of NAME_FILE; `from` is the one of them at hand. */
export function readSecretVariable(
  env: Environment,
  name: string,
):
  { from: string; text: string | undefined } | { from: string; fault: string } {
  const direct = env[name];
  const fileName = `${name}_FILE`;
  const file = env[fileName];
  if (!file) {
    return { from: name, text: direct };
  }
  if (direct) {
    const fault = `is set, and so is ${fileName}; keep one of them`;
    return { from: name, fault };
  }
  const read = readSecretFile(file);
  return "fault" in read
    ? { from: fileName, fault: read.fault }
    : { from: fileName, text: read.value };
}

/** The files that secrets are read from, as NAME_FILE names them. */
export function secretFilesOf(env: Environment): string[] {
  return SECRET_VARIABLE_NAMES.flatMap((name) => env[`${name}_FILE`] || []);
}

/** The variables that are set and hold no secret, as they were given. */
export function settingsOf(env: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    VARIABLE_NAMES.filter((name) => !DEFINITIONS[name].secret).flatMap(
      (name) => (env[name] ? [[name, env[name]]] : []),
    ),
  );
}

/**
 * A warning for each HEX_* and HEXHOOK_* variable that nothing reads: a misspelt name would be ignored in silence.
 * `referred` are the names that the configuration file refers to.
 */
export function unknownNames(
  env: Environment,
  referred: ReadonlySet<string>,
): string[] {
  const known = new Set([
    ...VARIABLE_NAMES,
    ...[...SECRET_VARIABLE_NAMES, ...referred].flatMap((name) => [
      name,
      `${name}_FILE`,
    ]),
  ]);
  return Object.keys(env)
    .filter((name) => /^(?:HEX|HEXHOOK)_/.test(name) && !known.has(name))
    .sort()
    .map((name) => `${name}: this version knows no such variable; ignored`);
}

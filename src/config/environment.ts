import type { z } from "zod";
import { ConfigError } from "../errors.ts";
import { envFileValues, parseEnvFile } from "./env-file.ts";
import { isSetByKubernetes } from "./kubernetes.ts";
import { readSecretFile } from "./secret.ts";
import { readText } from "./text-file.ts";
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

/** Variables that can also be read from the file that NAME_FILE names. */
export const SECRET_VARIABLE_NAMES = VARIABLE_NAMES.filter(
  (name) => DEFINITIONS[name].secret,
);

/** Variables that a reload applies. */
export const RELOADED_VARIABLES: ReadonlySet<string> = new Set(
  VARIABLE_NAMES.filter((name) => DEFINITIONS[name].reload),
);

const ENV_FILE = ".env";
const MAX_ENV_FILE_BYTES = 1_048_576;

/** Adds the `.env` file of the working directory to an environment. Real variables take precedence. Throws ConfigError. */
export function readEnvironment(env: Environment): Environment {
  const read = readText(ENV_FILE, MAX_ENV_FILE_BYTES);
  if ("error" in read) {
    if (read.code === "ENOENT") {
      return env;
    }
    throw new ConfigError([`${ENV_FILE}: ${read.error}`]);
  }
  const { entries, errors } = parseEnvFile(read.text);
  if (errors.length > 0) {
    throw new ConfigError(
      errors.map(({ line, text }) => `${ENV_FILE} line ${line}: ${text}`),
    );
  }
  return mergeEnvironments(env, envFileValues(entries));
}

/**
 * Merges two environments. `real` takes precedence unless its value is empty or set by Kubernetes. A real NAME also takes
 * precedence over NAME_FILE in `fallback`, and a real NAME_FILE over NAME.
 */
export function mergeEnvironments(
  real: Environment,
  fallback: Environment,
): Environment {
  const merged: Record<string, string | undefined> = { ...real };
  for (const [name, value] of Object.entries(fallback)) {
    const base = isVariable(name) ? name : name.replace(/_FILE$/, "");
    if (!textOf(real, base) && !textOf(real, `${base}_FILE`)) {
      merged[name] = value;
    }
  }
  return merged;
}

/** Returns the text of a variable, or undefined if it is not set, empty, or set by Kubernetes for a Service. */
function textOf(env: Environment, name: string): string | undefined {
  const text = env[name];
  return text === undefined || text === "" || isSetByKubernetes(name, text)
    ? undefined
    : text;
}

function isVariable(name: string): name is VariableName {
  return Object.hasOwn(VARIABLES, name);
}

/**
 * Reads and validates some variables. An empty variable counts as not set. Throws one ConfigError that lists every error.
 */
export function readVariables<N extends VariableName>(
  env: Environment,
  names: readonly N[],
): { [K in N]: ValueOf<K> } {
  const errors: string[] = [];
  const values: Partial<Record<VariableName, unknown>> = {};
  for (const name of names) {
    values[name] = readVariable(env, name, errors);
  }
  if (errors.length > 0) {
    throw new ConfigError(errors);
  }
  return values as { [K in N]: ValueOf<K> };
}

function readVariable(
  env: Environment,
  name: VariableName,
  errors: string[],
): unknown {
  const definition = DEFINITIONS[name];
  const read = definition.secret
    ? readSecretVariable(env, name)
    : { from: name, text: textOf(env, name) };
  if ("error" in read) {
    errors.push(`${read.from}: ${read.error}`);
    return null;
  }
  const value = read.text || definition.default;
  if (value === undefined) {
    if (definition.required) {
      errors.push(
        `${name}: is not set; make one with \`hexhook secrets generate\`, then set it in .env or the environment, or name its file in ${name}_FILE`,
      );
    }
    return null;
  }
  const result = definition.kind.safeParse(value);
  if (!result.success) {
    errors.push(
      `${read.from}: ${result.error.issues[0]?.message ?? "is not valid"}`,
    );
    return null;
  }
  return result.data;
}

/** Reads a secret from NAME or from the file that NAME_FILE names, without validating it. `from` says which of them was used. */
export function readSecretVariable(
  env: Environment,
  name: string,
):
  { from: string; text: string | undefined } | { from: string; error: string } {
  const direct = env[name];
  const fileName = `${name}_FILE`;
  const file = env[fileName];
  if (!file) {
    return { from: name, text: direct };
  }
  if (direct) {
    const error = `cannot be set together with ${fileName}; remove one of them`;
    return { from: name, error };
  }
  const read = readSecretFile(file);
  return "error" in read
    ? { from: fileName, error: read.error }
    : { from: fileName, text: read.value };
}

/** Returns the paths in all NAME_FILE variables. */
export function secretFilesOf(env: Environment): string[] {
  return SECRET_VARIABLE_NAMES.flatMap((name) => env[`${name}_FILE`] || []);
}

/** Returns the text of all set variables that are not secrets. */
export function settingsOf(env: Environment): Readonly<Record<string, string>> {
  return Object.fromEntries(
    VARIABLE_NAMES.filter((name) => !DEFINITIONS[name].secret).flatMap(
      (name) => {
        const text = textOf(env, name);
        return text === undefined ? [] : [[name, text]];
      },
    ),
  );
}

/**
 * Returns a warning for each unknown HEX_* and HEXHOOK_* variable, since its name may be misspelt. `referred`: the names that the
 * configuration file refers to.
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
    .filter(
      (name) =>
        /^(?:HEX|HEXHOOK)_/.test(name) &&
        !known.has(name) &&
        !isSetByKubernetes(name, env[name] ?? ""),
    )
    .sort()
    .map(
      (name) =>
        `${name}: is ignored because it is not a known variable; check the spelling`,
    );
}

/** Returns a warning for each variable of this program that Kubernetes has set for a Service. */
export function kubernetesWarnings(env: Environment): string[] {
  return VARIABLE_NAMES.filter((name) =>
    isSetByKubernetes(name, env[name] ?? ""),
  ).map(
    (name) =>
      `${name}: is ignored because Kubernetes sets it for a Service; the default applies. To use it, set enableServiceLinks: false in the pod, or rename the Service`,
  );
}

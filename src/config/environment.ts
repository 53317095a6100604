import type { z } from "zod";
import { ConfigError } from "../errors.ts";
import { envFileValues, parseEnvFile } from "./env-file.ts";
import { isOfKubernetes } from "./kubernetes.ts";
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

/** Those that are also read from the file that NAME_FILE names. */
export const SECRET_VARIABLE_NAMES = VARIABLE_NAMES.filter(
  (name) => DEFINITIONS[name].secret,
);

/** Those that a reload applies. */
export const RELOADED_VARIABLES: ReadonlySet<string> = new Set(
  VARIABLE_NAMES.filter((name) => DEFINITIONS[name].reload),
);

const ENV_FILE = ".env";
const MAX_ENV_FILE_BYTES = 1_048_576;

/** An environment, with `.env` of the working folder behind it; real variables win. Throws ConfigError. */
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
 * `real` over `fallback`, unless what is real is empty or made by Kubernetes. A real NAME also wins over a fallback's NAME_FILE,
 * and the other way round.
 */
export function mergeEnvironments(
  real: Environment,
  fallback: Environment,
): Environment {
  const merged: Record<string, string | undefined> = { ...real };
  for (const [name, value] of Object.entries(fallback)) {
    const base = isVariable(name) ? name : name.replace(/_FILE$/, "");
    if (!given(real, base) && !given(real, `${base}_FILE`)) {
      merged[name] = value;
    }
  }
  return merged;
}

/** The text of a variable. Undefined when it is not set, is empty, or is one that Kubernetes makes for a Service. */
function given(env: Environment, name: string): string | undefined {
  const text = env[name];
  return text === undefined || text === "" || isOfKubernetes(name, text)
    ? undefined
    : text;
}

function isVariable(name: string): name is VariableName {
  return Object.hasOwn(VARIABLES, name);
}

/**
 * The values of some variables, each checked. An empty variable counts as one that is not set. Throws one ConfigError
 * that lists every error.
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
    : { from: name, text: given(env, name) };
  if ("error" in read) {
    errors.push(`${read.from}: ${read.error}`);
    return null;
  }
  const value = read.text || definition.default;
  if (value === undefined) {
    if (definition.required) {
      errors.push(`${name}: must be set (or ${name}_FILE, the path of a file)`);
    }
    return null;
  }
  const result = definition.kind.safeParse(value);
  if (!result.success) {
    errors.push(
      `${read.from}: ${result.error.issues[0]?.message ?? "is wrong"}`,
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
  { from: string; text: string | undefined } | { from: string; error: string } {
  const direct = env[name];
  const fileName = `${name}_FILE`;
  const file = env[fileName];
  if (!file) {
    return { from: name, text: direct };
  }
  if (direct) {
    const error = `is set, and so is ${fileName}; keep one of them`;
    return { from: name, error };
  }
  const read = readSecretFile(file);
  return "error" in read
    ? { from: fileName, error: read.error }
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
      (name) => {
        const text = given(env, name);
        return text === undefined ? [] : [[name, text]];
      },
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
    .filter(
      (name) =>
        /^(?:HEX|HEXHOOK)_/.test(name) &&
        !known.has(name) &&
        !isOfKubernetes(name, env[name] ?? ""),
    )
    .sort()
    .map((name) => `${name}: this version knows no such variable; ignored`);
}

/** A warning for each variable of this program whose name Kubernetes has taken for a Service. */
export function namesOfKubernetes(env: Environment): string[] {
  return VARIABLE_NAMES.filter((name) =>
    isOfKubernetes(name, env[name] ?? ""),
  ).map(
    (name) =>
      `${name}: is what Kubernetes sets for a Service of that name; ignored, the default applies (enableServiceLinks: false in the pod, or another name for the Service, frees it)`,
  );
}

import { type Environment, loadConfig } from "../config/load-config.ts";
import {
  readSecretVariable,
  SECRET_VARIABLE_NAMES,
} from "../config/environment.ts";
import { ConfigError } from "../errors.ts";

/**
 * Returns every configured secret: those in NAME or NAME_FILE, valid or not, and those that a valid configuration file refers
 * to.
 */
export function configuredSecrets(env: Environment): string[] {
  const given = SECRET_VARIABLE_NAMES.flatMap((name) => {
    const read = readSecretVariable(env, name);
    return "text" in read && read.text ? [read.text] : [];
  });
  return [...given, ...referredSecrets(env)];
}

function referredSecrets(env: Environment): string[] {
  try {
    const { sources, destinations } = loadConfig(env);
    return [
      ...sources.flatMap(({ secrets }) =>
        secrets.map(({ key }) => String(key)),
      ),
      ...destinations.flatMap((one) =>
        one.kind === "http"
          ? [
              ...(one.secret === null ? [] : [one.secret]),
              ...(one.headers ?? [])
                .filter(({ isSecret }) => isSecret)
                .map(({ value }) => value),
            ]
          : [],
      ),
    ];
  } catch (thrown) {
    if (thrown instanceof ConfigError) {
      return [];
    }
    throw thrown;
  }
}

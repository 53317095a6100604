import { type Environment, loadConfig } from "../config/load-config.ts";
import {
  readSecretVariable,
  SECRET_VARIABLE_NAMES,
} from "../config/environment.ts";
import type { VariableName } from "../config/variables.ts";
import { ConfigError } from "../errors.ts";

/**
 * Returns every configured secret. Those in NAME or NAME_FILE are included even if they are invalid. Those that the
 * configuration file refers to are included only if the configuration is valid.
 */
export function configuredSecrets(env: Environment): string[] {
  const fromVariables = SECRET_VARIABLE_NAMES.flatMap((name) => {
    const read = readSecretVariable(env, name);
    const secret =
      "text" in read && read.text ? secretPartOf(name, read.text) : "";
    return secret === "" ? [] : [secret];
  });
  return [...fromVariables, ...secretsInUse(env)];
}

/** Returns the secret part of a variable's text. Of DATABASE_URL this is only the password, and a SQLite file has none. */
function secretPartOf(name: VariableName, text: string): string {
  if (name !== "DATABASE_URL") {
    return text;
  }
  return URL.canParse(text) ? new URL(text).password : "";
}

function secretsInUse(env: Environment): string[] {
  try {
    const { sources, destinations } = loadConfig(env);
    return [
      ...sources.flatMap(({ secrets, verifyToken }) =>
        [...secrets, ...(verifyToken === null ? [] : [verifyToken])]
          .filter(({ publicKey }) => publicKey === null)
          .map(({ text }) => text),
      ),
      ...destinations.flatMap((destination) =>
        destination.kind === "http"
          ? [
              ...(destination.secret === null ? [] : [destination.secret]),
              ...(destination.headers ?? [])
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

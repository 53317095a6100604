import { expect } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  type Config,
  type Environment,
  loadConfig,
} from "../../src/config/load-config.ts";
import { ConfigError } from "../../src/errors.ts";
import { SECRET } from "./fixtures.ts";

/** The beginning of each error of a configuration file. */
export const WHERE = "HEXHOOK_CONFIG: ";

/** Returns the errors of an environment, one line each. */
export function errorsOf(env: Environment): readonly string[] {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) {
      return error.errors;
    }
    throw error;
  }
  return [];
}

/** Creates secret files and configuration files in the directory of the test, and loads them. */
export function configFiles(folder: () => string) {
  const write = (name: string, content: string | Buffer): string => {
    const file = path.join(folder(), name);
    writeFileSync(file, content);
    return file;
  };
  const configFile = (content: string | Buffer): string =>
    write("hexhook.yaml", content);
  const envWith = (
    content: string | Buffer,
    env: Environment,
  ): Environment => ({
    HEX_SECRET: SECRET,
    HEXHOOK_CONFIG: configFile(content),
    ...env,
  });
  return {
    configFile,
    secretFile: (content: string | Buffer): string => write("secret", content),
    withFile: (content: string | Buffer, env: Environment = {}): Config =>
      loadConfig(envWith(content, env)),
    /** Returns the errors of a file without their common beginning. */
    fileErrors: (
      content: string | Buffer,
      env: Environment = {},
    ): readonly string[] =>
      errorsOf(envWith(content, env)).map((error) => {
        expect(error).toMatch(/^HEXHOOK_CONFIG: [\x20-\x7e…]+$/);
        return error.slice(WHERE.length);
      }),
  };
}

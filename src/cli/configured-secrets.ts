import { type Environment } from "../config.ts";
import {
  readSecretVariable,
  SECRET_VARIABLE_NAMES,
} from "../config/environment.ts";

/** Every secret that the environment gives, by NAME or NAME_FILE, whether it would be taken or not. */
export function configuredSecrets(env: Environment): string[] {
  return SECRET_VARIABLE_NAMES.flatMap((name) => {
    const read = readSecretVariable(env, name);
    return "text" in read && read.text ? [read.text] : [];
  });
}

import { z } from "zod";
import { type Environment, readSecretVariable } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { readSecretFile } from "./secret.ts";

/** A secret that was read through a reference in the configuration file. */
export interface ReferredSecret {
  readonly value: string;
  /** The referenced variable; null for a file. */
  readonly variable: string | null;
  /** The file that the secret was read from; null if the variable holds it. */
  readonly file: string | null;
}

interface WrongReference {
  /** Relative to the reference. */
  readonly path: readonly string[];
  readonly message: string;
}

interface ReadReference {
  readonly text: string;
  readonly variable: string | null;
  readonly file: string | null;
  /** The variable that errors name; null for a file. */
  readonly from: string | null;
}

const NO_SECRETS = "this file must not contain secrets";
const NAME = /^[A-Z_][A-Z0-9_]{0,127}$/;

/** Names that errors may repeat. Other text of capitals and digits could be a secret. */
const CERTAINLY_A_NAME = /_|^[A-Z]{1,24}$/;

/**
 * Reads a secret through `{ env: NAME }`, from NAME or NAME_FILE, or through `{ file: PATH }`. Other keys are rejected, except
 * those in `besides`. The secret must match `kind`. No error repeats the given value.
 */
export function secretReference(
  env: Environment,
  kind: z.ZodType<string, string>,
  besides: readonly string[] = [],
): z.ZodType<ReferredSecret> {
  return z.unknown().transform((given, context) => {
    const read = readReference(env, given, besides);
    if ("message" in read) {
      const { message, path } = read;
      context.addIssue({ code: "custom", message, path: [...path] });
      return z.NEVER;
    }
    const { text, variable, file, from } = read;
    const result = kind.safeParse(text);
    if (!result.success) {
      const error = result.error.issues[0]?.message ?? "is not valid";
      context.addIssue(
        from === null
          ? { code: "custom", message: error, path: ["file"] }
          : { code: "custom", message: `${from} ${error}` },
      );
      return z.NEVER;
    }
    return { value: result.data, variable, file };
  });
}

function readReference(
  env: Environment,
  given: unknown,
  besides: readonly string[],
): ReadReference | WrongReference {
  if (
    !isMap(given) ||
    ![...given.keys()].every((key) => ["env", "file", ...besides].includes(key))
  ) {
    const extent =
      besides.length === 0 ? "" : `, optionally with ${besides.join(" and ")}`;
    const message = `must be { env: NAME } or { file: PATH }${extent}; ${NO_SECRETS}`;
    return { path: [], message };
  }
  if (given.has("env") === given.has("file")) {
    return { path: [], message: "must have either env or file" };
  }
  return given.has("env")
    ? readFromEnvironment(env, given.get("env"))
    : readFromFile(given.get("file"));
}

function readFromEnvironment(
  env: Environment,
  name: unknown,
): ReadReference | WrongReference {
  if (typeof name !== "string" || !NAME.test(name)) {
    const message = `must be a variable name in capitals, such as BILLING_SECRET; ${NO_SECRETS}`;
    return { path: ["env"], message };
  }
  if (name.endsWith("_FILE")) {
    const message =
      "must be the name without _FILE; the variable with _FILE is read too";
    return { path: ["env"], message };
  }
  const read = readSecretVariable(env, name);
  if ("error" in read) {
    return { path: [], message: `${read.from} ${read.error}` };
  }
  if (!read.text) {
    const message = CERTAINLY_A_NAME.test(name)
      ? `${name} is not set`
      : "the variable that env names is not set";
    return { path: [], message };
  }
  const file = env[`${name}_FILE`] || null;
  return { text: read.text, variable: name, file, from: read.from };
}

function readFromFile(file: unknown): ReadReference | WrongReference {
  if (typeof file !== "string" || file === "") {
    return { path: ["file"], message: "must be the path of a file" };
  }
  const read = readSecretFile(file);
  return "error" in read
    ? { path: ["file"], message: read.error }
    : { text: read.value, variable: null, file, from: null };
}

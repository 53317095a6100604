import { z } from "zod";
import { type Environment, readSecretVariable } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { readSecretFile } from "./secret.ts";

/** A secret that the configuration file refers to. */
export interface ReferredSecret {
  readonly value: string;
  /** The variable that it refers to; null for a file. */
  readonly variable: string | null;
  /** The file that it was read from; null where the variable itself has it. */
  readonly file: string | null;
}

interface WrongReference {
  /** Below the reference. */
  readonly path: readonly string[];
  readonly message: string;
}

interface ReadReference {
  readonly text: string;
  readonly variable: string | null;
  readonly file: string | null;
  /** The variable that a error of the text is told of; null for a file. */
  readonly from: string | null;
}

const NOT_HERE = "a secret does not belong into this file";
const NAME = /^[A-Z_][A-Z0-9_]{0,127}$/;

/** Not every text of capitals and digits is a name: one that could be a secret is not repeated. */
const CERTAINLY_A_NAME = /_|^[A-Z]{1,24}$/;

/**
 * `{ env: NAME }`, which reads NAME or NAME_FILE of the environment, or `{ file: PATH }`, and no other keys than those
 * `besides`. The secret must be of the kind. No error repeats what stands where a reference should.
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
      const error = result.error.issues[0]?.message ?? "is wrong";
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
      besides.length === 0 ? "" : `, with ${besides.join(" and ")} at most`;
    const message = `must be { env: NAME } or { file: PATH }${extent}; ${NOT_HERE}`;
    return { path: [], message };
  }
  if (given.has("env") === given.has("file")) {
    return { path: [], message: "must have env or file, one of the two" };
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
    const message = `must be the name of a variable in capitals, such as BILLING_SECRET; ${NOT_HERE}`;
    return { path: ["env"], message };
  }
  if (name.endsWith("_FILE")) {
    const message = "must be NAME without _FILE; NAME_FILE is looked for too";
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

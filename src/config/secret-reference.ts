import { z } from "zod";
import { type Environment, readSecretVariable } from "./environment.ts";
import { isMap } from "./file-values.ts";
import { type JsonSchema, withJson } from "./json-schema.ts";
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

/** Names that errors may quote. Other text in capitals and digits could be a secret. */
const CERTAINLY_A_NAME = /_|^[A-Z]{1,24}$/;

/**
 * Reads a secret through `{ env: NAME }`, from NAME or NAME_FILE, or through `{ file: PATH }`. Other keys are rejected, except
 * those in `otherKeys`. The secret must match `kind`. No error contains the value.
 */
export function secretReference(
  env: Environment,
  kind: z.ZodType<string, string>,
  otherKeys: readonly string[] = [],
): z.ZodType<ReferredSecret> {
  const schema = z.unknown().transform((value, context) => {
    const read = readReference(env, value, otherKeys);
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
  return withJson(schema, () => referenceJson({}));
}

/** Returns the JSON Schema of a reference with more keys. */
export function referenceJson(
  otherKeys: Readonly<Record<string, JsonSchema | null>>,
): JsonSchema {
  return {
    type: "object",
    properties: {
      env: {
        type: "string",
        pattern: NAME.source,
        not: { pattern: "_FILE$" },
        description:
          "The variable with the secret, or without _FILE the one with its file",
      },
      file: {
        type: "string",
        minLength: 1,
        description: "The path of a file with the secret",
      },
      ...otherKeys,
    },
    oneOf: [{ required: ["env"] }, { required: ["file"] }],
    additionalProperties: false,
  };
}

function readReference(
  env: Environment,
  value: unknown,
  otherKeys: readonly string[],
): ReadReference | WrongReference {
  if (
    !isMap(value) ||
    ![...value.keys()].every((key) =>
      ["env", "file", ...otherKeys].includes(key),
    )
  ) {
    const extent =
      otherKeys.length === 0
        ? ""
        : `, optionally with ${otherKeys.join(" and ")}`;
    const message = `must be { env: NAME } or { file: PATH }${extent}; ${NO_SECRETS}`;
    return { path: [], message };
  }
  if (value.has("env") === value.has("file")) {
    return { path: [], message: "must have either env or file" };
  }
  return value.has("env")
    ? readFromEnvironment(env, value.get("env"))
    : readFromFile(value.get("file"));
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
      ? `${name} is not set; set it, or set ${name}_FILE to the path of a file`
      : "the variable that env names is not set; set it, or set its name with _FILE to the path of a file";
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

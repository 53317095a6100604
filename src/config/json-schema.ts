import { z } from "zod";

/** A JSON Schema (draft-07), or a part of one. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

/** Null: no value is allowed. */
type Written = JsonSchema | null;

/** How the values of schemas are written in the file. Keys of `mapOf` may have a description of their own. */
const JSON_SCHEMAS = new WeakMap<z.ZodType, () => Written>();
const DESCRIPTIONS = new WeakMap<z.ZodType, string>();

/** Sets the JSON Schema of a schema. A schema that is derived from it, such as by `refine`, needs its own. */
export function withJson<S extends z.ZodType>(
  schema: S,
  json: () => Written,
): S {
  JSON_SCHEMAS.set(schema, json);
  return schema;
}

/** Sets the text that an editor shows for a key. */
export function described<S extends z.ZodType>(text: string, schema: S): S {
  DESCRIPTIONS.set(schema, text);
  return schema;
}

/** Schemas of keys that are required although their own schema accepts a missing value, because other code reports it. */
const REQUIRED = new WeakSet<z.ZodType>();

/** A key whose value other code checks. */
export function checkedElsewhere(
  json: () => Written,
  options: { readonly isRequired: boolean },
): z.ZodType {
  const schema = withJson(z.unknown().optional(), json);
  if (options.isRequired) {
    REQUIRED.add(schema);
  }
  return schema;
}

function isRequired(schema: z.ZodType): boolean {
  return REQUIRED.has(schema) || !(schema instanceof z.ZodOptional);
}

/** Returns the JSON Schema of a schema; null if no value is allowed. Throws TypeError if it has none. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema | null {
  const json = JSON_SCHEMAS.get(schema);
  const description = DESCRIPTIONS.get(schema);
  if (json === undefined && !(schema instanceof z.ZodOptional)) {
    throw new TypeError("a schema of the configuration has no JSON Schema");
  }
  const own = json?.() ?? (json === undefined ? innerOf(schema) : null);
  if (own === null) {
    return null;
  }
  return description === undefined ? own : { description, ...own };
}

function innerOf(schema: z.ZodType): JsonSchema | null {
  return schema instanceof z.ZodOptional
    ? jsonSchemaOf(schema.unwrap() as z.ZodType)
    : null;
}

/** Returns the JSON Schema of a map with these keys and no others. */
export function jsonOfKeys(
  shape: Readonly<Record<string, z.ZodType>>,
): JsonSchema {
  const keys = Object.entries(shape).flatMap(([key, schema]) => {
    const json = jsonSchemaOf(schema);
    return json === null ? [] : [{ key, json, required: isRequired(schema) }];
  });
  const required = keys.filter((one) => one.required).map(({ key }) => key);
  return {
    type: "object",
    properties: Object.fromEntries(keys.map(({ key, json }) => [key, json])),
    ...(required.length === 0 ? {} : { required }),
    additionalProperties: false,
  };
}

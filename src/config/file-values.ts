import { z } from "zod";
import { jsonOfKeys, jsonSchemaOf, withJson } from "./json-schema.ts";
import { nearestName } from "./nearest-name.ts";

/** Schemas of the values in the configuration file. Their input has YAML types; the input of those in `values.ts` is text. */

/** Whether a value is a map. The keys of maps are always strings. */
export function isMap(value: unknown): value is ReadonlyMap<string, unknown> {
  return value instanceof Map;
}

/** A map whose keys are names that the user chooses. */
export const mapOfNames = z.custom<ReadonlyMap<string, unknown>>(
  isMap,
  "must be a map from names to settings",
);

/**
 * A map with these keys and no others. `unlisted`: keys that errors do not list as known ones. `nested`: the right place of
 * keys that belong into a value of this map.
 */
export function mapOf<S extends Readonly<Record<string, z.ZodType>>>(
  shape: S,
  options: {
    unlisted?: readonly (keyof S)[];
    nested?: ReadonlyMap<string, string> | undefined;
  } = {},
) {
  const { unlisted = [], nested } = options;
  const known = Object.keys(shape).filter((key) => !unlisted.includes(key));
  const keys = known.join(", ");
  const schema = z
    .custom<ReadonlyMap<string, unknown>>(
      isMap,
      `must be a map (keys: ${keys})`,
    )
    .transform((map): unknown => Object.fromEntries(map))
    .pipe(
      z.strictObject(shape, {
        // One line for each key, in their order.
        error: (issue) =>
          issue.code === "unrecognized_keys"
            ? issue.keys
                .map((key) => unknownKeyError(key, known, nested))
                .join("\n")
            : undefined,
      }),
    );
  return withJson(schema, () => jsonOfKeys(shape));
}

function unknownKeyError(
  key: string,
  known: readonly string[],
  nested: ReadonlyMap<string, string> | undefined,
): string {
  const keys = `known keys are ${known.join(", ")}`;
  const nearest = nested?.get(key) ?? nearestName(key, known);
  return nearest === null
    ? `is not a known key; the ${keys}`
    : `is not a known key; did you mean ${nearest}? The ${keys}`;
}

/** The error for a source or destination whose name is not valid. */
export const INVALID_NAME =
  "is not a valid name; use 1 to 64 of a-z, 0-9 and -, and do not start with -";

/** The names that a source or destination may have. Names that the program generates contain a colon, so they cannot collide. */
export const NAME = /^[a-z0-9][a-z0-9-]{0,63}$/;

export function isValidName(name: string): boolean {
  return NAME.test(name);
}

/** A list without duplicates. `items`: what the list contains, for the error. */
export function distinct<T extends string>(
  item: z.ZodType<T>,
  items: string,
  options: { readonly minItems?: 1 } = {},
): z.ZodType<readonly T[]> {
  const { minItems = 0 } = options;
  const schema = z
    .array(item, `must be a list of ${items}`)
    .min(minItems, "must not be empty")
    .superRefine(
      (list, context) => {
        for (const [index, value] of list.entries()) {
          if (list.indexOf(value) < index) {
            const message = "is a duplicate; remove it";
            context.addIssue({ code: "custom", message, path: [index] });
          }
        }
      },
      // Runs even if an item is invalid, so that all errors are reported at once.
      { when: ({ value }) => Array.isArray(value) },
    );
  return withJson(schema, () => ({
    type: "array",
    items: jsonSchemaOf(item),
    uniqueItems: true,
    ...(minItems === 0 ? {} : { minItems }),
  }));
}

/** A required key, with the error if it is missing. */
export function present<T>(schema: z.ZodType<T>, error: string): z.ZodType<T> {
  const required = z
    .custom<unknown>((value) => value !== undefined, error)
    .pipe(schema);
  return withJson(required, () => jsonSchemaOf(schema));
}

/** A key that is not allowed here, with the error if it is present. */
export function forbidden(why: string): z.ZodType<undefined> {
  return withJson(z.undefined(why).optional(), () => null);
}

/** A string that passes a check. `pattern`: the check as a regular expression, for editors. */
export function textThat(
  passes: (text: string) => boolean,
  error: string,
  pattern?: RegExp,
): z.ZodType<string> {
  return withJson(z.string(error).refine(passes, error), () =>
    pattern === undefined
      ? { type: "string" }
      : { type: "string", pattern: pattern.source },
  );
}

/** A YAML integer in a range. */
export function wholeNumber(min: number, max: number): z.ZodType<number> {
  const error = `must be a whole number from ${min} to ${max}`;
  const schema = z
    .number(error)
    .refine(
      (value) => Number.isInteger(value) && value >= min && value <= max,
      error,
    );
  return withJson(schema, () => ({
    type: "integer",
    minimum: min,
    maximum: max,
  }));
}

export const trueOrFalse: z.ZodType<boolean> = withJson(
  z.boolean("must be true or false"),
  () => ({ type: "boolean" }),
);

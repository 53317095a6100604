import { z } from "zod";

/** The kinds of values that the configuration file is made of: like those of variables, but out of YAML's types. */

/** A map of the file; its keys are always text. */
export function isMap(value: unknown): value is ReadonlyMap<string, unknown> {
  return value instanceof Map;
}

/** A map whose keys are names of the user's own. */
export const mapOfNames = z.custom<ReadonlyMap<string, unknown>>(
  isMap,
  "must be a map of names",
);

/** A map of these keys and no others. Those that it `refuses` have a message of their own, and are not listed as known. */
export function mapOf<S extends Readonly<Record<string, z.ZodType>>>(
  shape: S,
  options: {
    unknownKey?: string;
    refuses?: Readonly<Record<string, z.ZodType<undefined>>>;
  } = {},
) {
  const { unknownKey, refuses } = options;
  const keys = Object.keys(shape).join(", ");
  const all: S = { ...shape, ...refuses };
  return z
    .custom<ReadonlyMap<string, unknown>>(isMap, `must be a map (of ${keys})`)
    .transform((map): unknown => Object.fromEntries(map))
    .pipe(
      z.strictObject(all, unknownKey ?? `is not known here; known are ${keys}`),
    );
}

/** Whether a destination may have this name. Names that the program makes itself hold a colon and are no such names. */
export function isDestinationName(name: string): boolean {
  return /^[a-z0-9][a-z0-9-]{0,63}$/.test(name);
}

/** A list in which nothing is there twice. */
export function distinct<T extends string>(
  item: z.ZodType<T>,
  what: string,
): z.ZodType<readonly T[]> {
  return z.array(item, `must be a list of ${what}`).superRefine(
    (list, context) => {
      for (const [index, value] of list.entries()) {
        if (list.indexOf(value) < index) {
          const message = "is there twice; keep one";
          context.addIssue({ code: "custom", message, path: [index] });
        }
      }
    },
    // Also where an item is wrong: every error is told at once.
    { when: ({ value }) => Array.isArray(value) },
  );
}

/** A key that must be there, and what to say when it is not. */
export function present(error: string): z.ZodType<string> {
  return z.custom<string>((value) => value !== undefined, error);
}

/** A key that has no place here, and why. */
export function refused(why: string): z.ZodType<undefined> {
  return z.undefined(why).optional();
}

/** A text that passes a check. */
export function textThat(
  passes: (text: string) => boolean,
  error: string,
): z.ZodType<string> {
  return z.string(error).refine(passes, error);
}

/** A YAML number without a fraction. */
export function wholeNumber(min: number, max: number): z.ZodType<number> {
  const error = `must be a whole number from ${min} to ${max}`;
  return z
    .number(error)
    .refine(
      (value) => Number.isInteger(value) && value >= min && value <= max,
      error,
    );
}

export const trueOrFalse: z.ZodType<boolean> = z.boolean(
  "must be true or false",
);

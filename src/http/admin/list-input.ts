import { z } from "zod";
import { parseSince, SINCE_FORMS } from "../../domain/since.ts";
import { badInput } from "./read-input.ts";

const DEFAULT_LIMIT = 50;
const MAX_LIMIT = 1000;

/** The members of a request that page through a list. They are the same for every list of the management API. */
export const listMembers = {
  limit: z
    .string()
    .regex(/^\d{1,4}$/, `must be a number from 1 to ${MAX_LIMIT}`)
    .transform(Number)
    .pipe(z.number().min(1).max(MAX_LIMIT))
    .default(DEFAULT_LIMIT),
  cursor: z
    .string()
    .regex(/^\d{1,15}$/, "must be the `next` of the previous response")
    .transform(Number)
    .optional(),
};

/** Returns a time of the input in unix milliseconds. Throws AppError `bad_request` if it is not in one of SINCE_FORMS. */
export function timeOf<Name extends "since" | "until">(
  name: Name,
  input: { readonly [name in Name]?: string | undefined },
  now: number,
): number | undefined {
  const text: string | undefined = input[name];
  if (text === undefined) {
    return undefined;
  }
  const at = parseSince(text, now);
  if (at === null) {
    throw badInput(`${name}: must be ${SINCE_FORMS}`);
  }
  return at;
}

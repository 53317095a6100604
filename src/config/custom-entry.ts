import type { z } from "zod";
import type { Scheme } from "../domain/scheme.ts";
import {
  CUSTOM_ALGORITHMS,
  customScheme,
  type CustomSettings,
  type SettingError,
  type TokenSettings,
  tokenScheme,
} from "../signature/custom-scheme.ts";
import { lineAt } from "./errors.ts";
import { checked } from "./file.ts";
import { mapOf, present, textThat } from "./file-values.ts";
import { described } from "./json-schema.ts";
import { oneOf, wholeSeconds } from "./values.ts";

const TEXT = "must be a string";
const text = textThat(() => true, TEXT);
const header = present(text, "is missing; set it to the name of a header");

const ALGORITHMS = Object.keys(
  CUSTOM_ALGORITHMS,
) as (keyof typeof CUSTOM_ALGORITHMS)[];

/** Where a value is: in a header, or at a JSON pointer. `E`: the other keys of the same map. */
function place<E extends Readonly<Record<string, z.ZodType>>>(otherKeys: E) {
  return mapOf({
    header: text.optional(),
    pointer: text.optional(),
    ...otherKeys,
  });
}

const id = place({});
const timestamp = place({
  unit: oneOf(["s", "ms", "rfc3339"]),
  window: wholeSeconds.optional(),
});

const customShape = {
  signature: mapOf({
    header,
    prefix: text.optional(),
    encoding: oneOf(["hex", "base64"]),
  }),
  algorithm: oneOf(ALGORITHMS),
  keyDecoding: oneOf(["verbatim", "base64", "hex"]).optional(),
  signed: described(
    "The signed bytes: text with {id}, {timestamp}, {body}, {method} and {url}",
    present(text, 'is missing; set it, for example to "{timestamp}.{body}"'),
  ),
  timestamp: timestamp.optional(),
  id: id.optional(),
  type: id.optional(),
};

/** The settings of scheme `custom`. */
export const customSettings = mapOf(customShape);

export const CUSTOM_KEYS = Object.keys(customShape);

/** The settings of scheme `token`. */
export const tokenSettings: z.ZodType<TokenSettings> = mapOf({ header });

/** Reads the settings of scheme `custom` at `path`. Returns null and adds errors if they are not valid. */
export function readCustomScheme(
  value: unknown,
  path: readonly PropertyKey[],
  errors: string[],
): Scheme | null {
  const read = checked(customSettings, value, path, errors);
  if (read === null) {
    return null;
  }
  const own: SettingError[] = [];
  const placeAt = (
    name: string,
    found: { header?: string | undefined; pointer?: string | undefined },
  ) => {
    const { header: inHeader, pointer } = found;
    if (inHeader !== undefined && pointer === undefined) {
      return { header: inHeader };
    }
    if (pointer !== undefined && inHeader === undefined) {
      return { pointer };
    }
    own.push({ path: [name], message: "must have either header or pointer" });
    return { pointer: "/" };
  };
  const settings: CustomSettings = {
    ...read,
    timestamp: read.timestamp && {
      ...placeAt("timestamp", read.timestamp),
      unit: read.timestamp.unit,
      windowSeconds:
        read.timestamp.window === undefined
          ? undefined
          : read.timestamp.window / 1000,
    },
    id: read.id && placeAt("id", read.id),
    type: read.type && placeAt("type", read.type),
  };
  return schemeOrErrors(
    own.length > 0 ? { errors: own } : customScheme(settings),
    path,
    errors,
  );
}

/** Reads the settings of scheme `token` at `path`. Returns null and adds errors if they are not valid. */
export function readTokenScheme(
  value: unknown,
  path: readonly PropertyKey[],
  errors: string[],
): Scheme | null {
  const read = checked(tokenSettings, value, path, errors);
  return read === null ? null : schemeOrErrors(tokenScheme(read), path, errors);
}

function schemeOrErrors(
  read: Scheme | { readonly errors: readonly SettingError[] },
  path: readonly PropertyKey[],
  errors: string[],
): Scheme | null {
  if (!("errors" in read)) {
    return read;
  }
  for (const error of read.errors) {
    errors.push(lineAt([...path, ...error.path], error.message));
  }
  return null;
}

import type { z } from "zod";
import type { Environment } from "./environment.ts";
import { lineAt } from "./errors.ts";
import { isMap, mapOf, mapOfNames } from "./file-values.ts";
import { parseStrictYaml } from "./strict-yaml.ts";
import { readTextFile } from "./text-file.ts";
import { duration } from "./values.ts";

const MAX_FILE_BYTES = 1_048_576;

/** The parts of the configuration file, before validation. */
export interface ConfigFile {
  /** The values in `sources`, by name; null = the file has no sources, so source `hex` comes from the environment. */
  readonly sources: ReadonlyMap<string, unknown> | null;
  /** The values in `destinations`, by name. */
  readonly destinations: ReadonlyMap<string, unknown>;
}

const NO_FILE: ConfigFile = { sources: null, destinations: new Map() };

const ROOT = mapOf({
  sources: mapOfNames
    .refine(
      (sources) => sources.size > 0,
      "must not be empty; list a source, or remove sources to use HEX_SECRET",
    )
    .optional(),
  destinations: mapOfNames.optional(),
});

/**
 * Reads the file. Returns null if it cannot be read, is not valid YAML or is empty. Adds its errors, and those of its top-level
 * keys, to `errors`.
 */
export function openConfigFile(
  env: Environment,
  errors: string[],
): ConfigFile | null {
  const { HEXHOOK_CONFIG: file } = env;
  if (!file) {
    return NO_FILE;
  }
  const read = readTextFile(file, MAX_FILE_BYTES);
  if ("error" in read) {
    errors.push(lineAt([], read.error));
    return null;
  }
  const parsed = parseStrictYaml(read.text);
  if ("errors" in parsed) {
    errors.push(...parsed.errors.map((error) => lineAt([], error)));
    return null;
  }
  const { value } = parsed;
  if (value === null) {
    errors.push(
      lineAt(
        [],
        "names an empty file; add sources or destinations to it, or unset HEXHOOK_CONFIG",
      ),
    );
    return null;
  }
  checked(ROOT, value, [], errors);
  // The parts are validated even if the top level has errors, so that all errors are reported.
  const sources = memberOf(value, "sources");
  const destinations = memberOf(value, "destinations");
  return {
    sources:
      sources === undefined ? null : isMap(sources) ? sources : new Map(),
    destinations: isMap(destinations) ? destinations : new Map(),
  };
}

function memberOf(value: unknown, key: string): unknown {
  return isMap(value) ? value.get(key) : undefined;
}

/** Returns a hint for a key that is a time: in `{ retrySchedule: 5s,30s }`, YAML reads all times after the first as keys. */
function hintFor(unknownKey: string): string {
  return duration.safeParse(unknownKey).success
    ? "; put the schedule in quotes, or write a list: [5s, 30s]"
    : "";
}

/** Validates the value at `path` of the file. Returns null if it is not valid, and adds a line for each error to `errors`. */
export function checked<T>(
  schema: z.ZodType<T>,
  value: unknown,
  path: readonly PropertyKey[],
  errors: string[],
): T | null {
  const result = schema.safeParse(value);
  if (result.success) {
    return result.data;
  }
  for (const issue of result.error.issues) {
    const place = [...path, ...issue.path];
    if (issue.code === "unrecognized_keys") {
      const messages = issue.message.split("\n");
      const lines = issue.keys.map((key, index) =>
        lineAt([...place, key], `${messages[index] ?? ""}${hintFor(key)}`),
      );
      errors.push(...lines);
    } else {
      errors.push(lineAt(place, issue.message));
    }
  }
  return null;
}

import { z } from "zod";
import type { Environment } from "./environment.ts";
import { lineAt } from "./errors.ts";
import { isMap, mapOf, mapOfNames } from "./file-values.ts";
import { parseStrictYaml } from "./strict-yaml.ts";
import { readTextFile } from "./text-file.ts";
import { duration } from "./values.ts";

const MAX_FILE_BYTES = 1_048_576;

/** What HEXHOOK_CONFIG names, opened: the parts of it, each still to be checked. */
export interface ConfigFile {
  /** What stands at `sources.hex`; undefined = nothing. */
  readonly hex: unknown;
  /** What stands at `destinations`, by name. */
  readonly destinations: ReadonlyMap<string, unknown>;
}

const NO_FILE: ConfigFile = { hex: undefined, destinations: new Map() };

const ROOT = mapOf({
  sources: mapOf(
    { hex: z.unknown().optional() },
    { unknownKey: "is no source that this version knows; there is hex alone" },
  ).optional(),
  destinations: mapOfNames.optional(),
});

/** Opens the file. Null when it cannot be read as YAML; then, and where the map at its root is wrong, `errors` grows. */
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
        "names a file that is empty; write sources: or destinations: into it, or unset HEXHOOK_CONFIG",
      ),
    );
    return null;
  }
  checked(ROOT, value, [], errors);
  // Whatever is wrong beside them, the parts that are there get checked too.
  const sources = memberOf(value, "sources");
  const destinations = memberOf(value, "destinations");
  return {
    hex: memberOf(sources, "hex"),
    destinations: isMap(destinations) ? destinations : new Map(),
  };
}

function memberOf(value: unknown, key: string): unknown {
  return isMap(value) ? value.get(key) : undefined;
}

/** YAML takes the times of `{ retrySchedule: 5s,30s }` for keys, all but the first. */
function hintFor(unknownKey: string): string {
  return duration.safeParse(unknownKey).success
    ? "; put the schedule into quotes, or write a list: [5s, 30s]"
    : "";
}

/** What a schema makes of the value at `path` of the file. Null when it does not fit: then `errors` grows by a line each. */
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
      const lines = issue.keys.map((key) =>
        lineAt([...place, key], `${issue.message}${hintFor(key)}`),
      );
      errors.push(...lines);
    } else {
      errors.push(lineAt(place, issue.message));
    }
  }
  return null;
}

import type { Scheme } from "../domain/scheme.ts";
import { SCHEME_NAMES, schemeOf } from "../signature/schemes.ts";
import { readCustomScheme, readTokenScheme } from "./custom-entry.ts";
import { lineAt } from "./errors.ts";
import { isMap } from "./file-values.ts";
import { nearestName } from "./nearest-name.ts";

/** What to do about missing settings of a scheme that the file describes. */
const MISSING_SETTINGS = {
  custom:
    "describe the requests of the sender with signature, algorithm and signed",
  token: "name the header of the sender's token, such as { header: X-Token }",
} as const;

/**
 * Reads the scheme of a source in the file. Returns `default` if source `hex` leaves it to the environment, and null if it is
 * not valid. Then it has added an error to `errors`, except if the source is not a map.
 */
export function readScheme(
  source: string,
  value: unknown,
  errors: string[],
): Scheme | "default" | null {
  if (!isMap(value)) {
    return null;
  }
  const path = ["sources", source, "scheme"];
  const name = value.get("scheme");
  if (name === undefined) {
    if (source === "hex") {
      return "default";
    }
    const nearest = nearestName(source, SCHEME_NAMES);
    const example = nearest ?? "standard-webhooks";
    errors.push(lineAt(path, `is missing; add it, such as scheme: ${example}`));
    return null;
  }
  if (typeof name !== "string" || !SCHEME_NAMES.includes(name)) {
    errors.push(lineAt(path, unknownSchemeError(name)));
    return null;
  }
  if (name !== "custom" && name !== "token") {
    return schemeOf(name);
  }
  const settings = value.get(name);
  const at = ["sources", source, name];
  if (settings === undefined) {
    errors.push(lineAt(at, `is missing; ${MISSING_SETTINGS[name]}`));
    return null;
  }
  return name === "custom"
    ? readCustomScheme(settings, at, errors)
    : readTokenScheme(settings, at, errors);
}

function unknownSchemeError(name: unknown): string {
  const nearest =
    typeof name === "string" ? nearestName(name, SCHEME_NAMES) : null;
  return nearest === null
    ? `is not a known scheme; the schemes are ${SCHEME_NAMES.join(", ")}`
    : `is not a known scheme; did you mean ${nearest}?`;
}

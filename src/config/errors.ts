import { ConfigError } from "../errors.ts";

/** Returns the result of `read`, or null if it throws a ConfigError. The errors are then added to `errors`. */
export function collecting<T extends object>(
  errors: string[],
  read: () => T,
): T | null {
  try {
    return read();
  } catch (thrown) {
    if (!(thrown instanceof ConfigError)) {
      throw thrown;
    }
    errors.push(...thrown.errors);
    return null;
  }
}

/** The error for a store that has no directory for a key. */
export const SIGNING_KEY_REQUIRED =
  "AUDIT_SIGNING_KEY: must be set with PostgreSQL, to the same key for every replica; make one with `openssl genpkey -algorithm ed25519`. To use a file, set AUDIT_SIGNING_KEY_FILE";

const PLAIN_KEY = /^[\w-]{1,64}$/;
const MAX_SHOWN_KEY = 64;

/** Formats a message about a place in the configuration file: `HEXHOOK_CONFIG: sources.hex.secrets[1]: …`. */
export function lineAt(path: readonly PropertyKey[], text: string): string {
  const place = path.map(step).join("").replace(/^\./, "");
  return `HEXHOOK_CONFIG: ${place === "" ? "" : `${place}: `}${text}`;
}

function step(key: PropertyKey): string {
  if (typeof key === "number") {
    return `[${key}]`;
  }
  const name = String(key);
  return `.${PLAIN_KEY.test(name) ? name : quoted(name)}`;
}

/** Quotes and escapes a key, so that it stays on one line. */
function quoted(name: string): string {
  const shown =
    name.length > MAX_SHOWN_KEY ? `${name.slice(0, MAX_SHOWN_KEY)}…` : name;
  return JSON.stringify(shown).replace(
    /[^\x20-\x7e…]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

import { ConfigError } from "../errors.ts";

/** What `read` gives, or null when it throws a ConfigError, whose errors then join the others. */
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

const PLAIN_KEY = /^[\w-]{1,64}$/;
const MAX_SHOWN_KEY = 64;

/** A line about a place in the configuration file, such as `HEXHOOK_CONFIG: sources.hex.secrets[1]: …`. */
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

/** One line of visible ASCII, whatever a key is made of. */
function quoted(name: string): string {
  const shown =
    name.length > MAX_SHOWN_KEY ? `${name.slice(0, MAX_SHOWN_KEY)}…` : name;
  return JSON.stringify(shown).replace(
    /[^\x20-\x7e…]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

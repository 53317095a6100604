import { hash as digest } from "node:crypto";

/** A longer value is its SHA-256, so that what a sender writes cannot swell an index. */
const MAX_KEY = 128;

/** How a pointer names an element of an array. */
const INDEX = /^(?:0|[1-9]\d*)$/;

/** Whether a text is a JSON pointer (RFC 6901) to a member: `/` before each name, `~` only as `~0` and `~1`. */
export function isJsonPointer(pointer: string): boolean {
  return /^(?:\/(?:[^/~]|~[01])*)+$/s.test(pointer);
}

/**
 * Reads the key of an event's payload at a JSON pointer: equal values give equal keys, and `1` is not `"1"`. Null where
 * nothing is there, or something without an order of its own (an object, an array, null).
 */
export function createOrderKey(
  pointer: string,
): (payload: unknown) => string | null {
  const names = pointer
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (payload) => {
    let value: unknown = payload;
    for (const name of names) {
      if (
        typeof value !== "object" ||
        value === null ||
        !Object.hasOwn(value, name) ||
        (Array.isArray(value) && !INDEX.test(name))
      ) {
        return null;
      }
      value = (value as Record<string, unknown>)[name];
    }
    if (typeof value === "object" || value === undefined) {
      return null;
    }
    const key = JSON.stringify(value);
    return key.length > MAX_KEY ? digest("sha256", key, "hex") : key;
  };
}

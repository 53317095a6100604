import { hash as digest } from "node:crypto";
import { readAt } from "../json/read-members.ts";

/** A longer value is its SHA-256, so that what a sender writes cannot swell an index. */
const MAX_KEY = 128;

/** Whether a text is a JSON pointer (RFC 6901) to a member: `/` before each name, `~` only as `~0` and `~1`. */
export function isJsonPointer(pointer: string): boolean {
  return /^(?:\/(?:[^/~]|~[01])*)+$/s.test(pointer);
}

/**
 * Reads the key of an event's body, which is valid JSON, at a JSON pointer: equal values give equal keys, and `1` is not `"1"`.
 * Null when nothing is there, or something without an order of its own (an object, an array, null).
 */
export function createOrderKey(
  pointer: string,
): (body: Buffer) => string | null {
  const names = pointer
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
  return (body) => {
    const value = readAt(body, names);
    if (value === undefined || value === null) {
      return null;
    }
    const key = JSON.stringify(value);
    return key.length > MAX_KEY ? digest("sha256", key, "hex") : key;
  };
}

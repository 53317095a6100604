import { hash as digest } from "node:crypto";
import { namesOf } from "../json/json-pointer.ts";
import { readAt } from "../json/read-members.ts";

/** Maximum length of a key in characters. A longer key is replaced by its SHA-256, to limit the size of the index. */
const MAX_KEY = 128;

/**
 * Returns a function that reads the order key of a body at a JSON pointer. Equal values give
 * equal keys; the number `1` and the string `"1"` differ. The key is null if the value is absent, null, an object or an
 * array.
 */
export function createOrderKey(
  pointer: string,
): (body: Buffer) => string | null {
  const names = namesOf(pointer);
  return (body) => {
    const value = readAt(body, names);
    if (value === undefined || value === null) {
      return null;
    }
    const key = JSON.stringify(value);
    return key.length > MAX_KEY ? digest("sha256", key, "hex") : key;
  };
}

/** Returns whether a text is a JSON pointer (RFC 6901): `/` before each name, and `~` only in `~0` and `~1`. */
export function isJsonPointer(pointer: string): boolean {
  return /^(?:\/(?:[^/~]|~[01])*)+$/s.test(pointer);
}

/** Returns the names in a JSON pointer, outermost first. */
export function namesOf(pointer: string): readonly string[] {
  return pointer
    .slice(1)
    .split("/")
    .map((name) => name.replaceAll("~1", "/").replaceAll("~0", "~"));
}

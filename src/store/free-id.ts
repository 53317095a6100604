/** The number of hex digits of the body's SHA-256 in an appended part. */
const DIGITS = 12;

/**
 * Returns the id to try next for an event whose id is not signed, when another event of its source has this one. Repeated
 * until an id is free: an attacker may have sent other captured bodies under the ids that this function returns.
 */
export function nextId(id: string, bodySha256: Buffer): string {
  return `${id}~${bodySha256.toString("hex").slice(0, DIGITS)}`;
}

import type { IncomingMessage } from "node:http";

/** Credentials, and headers that describe the connection instead of the message. */
const DROPPED = [
  "authorization",
  "proxy-authorization",
  "cookie",
  "x-api-key",
  "connection",
  "keep-alive",
  "expect",
  "te",
  "transfer-encoding",
  "upgrade",
];

/**
 * Creates a function that returns the headers to store with an event: a JSON object by lower-case name, without credentials
 * and signatures.
 */
export function createStoredHeaders(
  signatureHeaders: readonly string[],
): (req: IncomingMessage) => string {
  const dropped = new Set([...DROPPED, ...signatureHeaders]);
  return (req) => {
    const kept: Record<string, string> = {};
    for (const [name, value] of Object.entries(req.headers)) {
      if (value !== undefined && !dropped.has(name)) {
        kept[name] = typeof value === "string" ? value : value.join(", ");
      }
    }
    return JSON.stringify(kept);
  };
}

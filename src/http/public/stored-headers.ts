import type { IncomingMessage } from "node:http";
import { signatureHeadersOf } from "../../signature/compiled-scheme.ts";
import { SCHEMES } from "../../signature/schemes.ts";

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
 * Signatures that senders add for older receivers, beside that of their scheme. The signatures of all schemes are dropped
 * from all sources too, because senders also copy each other's headers.
 */
const OTHER_SIGNATURES = [
  "x-gogs-signature",
  "x-hub-signature",
  "x-hubspot-signature",
  "x-square-signature",
];

const ALWAYS_DROPPED: ReadonlySet<string> = new Set([
  ...DROPPED,
  ...OTHER_SIGNATURES,
  ...[...SCHEMES.values()].flatMap(signatureHeadersOf),
]);

/**
 * Creates a function that returns the headers to store with an event: a JSON object by lower-case name, without credentials
 * and signatures. `signatureHeaders`: the headers with signatures and tokens of the source's scheme. `traceparent` replaces the
 * sender's; null keeps it.
 */
export function createStoredHeaders(
  signatureHeaders: readonly string[],
): (req: IncomingMessage, traceparent: string | null) => string {
  const dropped = new Set([...ALWAYS_DROPPED, ...signatureHeaders]);
  return (req, traceparent) => {
    const kept: Record<string, string> = {};
    for (const [name, value] of Object.entries(req.headers)) {
      if (value !== undefined && !dropped.has(name)) {
        kept[name] = typeof value === "string" ? value : value.join(", ");
      }
    }
    if (traceparent !== null) {
      kept["traceparent"] = traceparent;
    }
    return JSON.stringify(kept);
  };
}

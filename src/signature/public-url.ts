import type { Source } from "../domain/source.ts";
import type { SignedMessage } from "./message.ts";

/**
 * Returns the URL that the sender called: the configured URL with the query of the request. It is never built from headers,
 * which an attacker can set.
 */
export function publicUrlOf(
  { publicUrl }: Pick<Source, "publicUrl">,
  { url }: Pick<SignedMessage, "url">,
): string {
  return `${publicUrl ?? ""}${splitQuery(url).query}`;
}

/** The codes of `:/?@!$'()*,;`, which HubSpot decodes in the URL before it signs it. */
const DECODED = /%(?:3A|2F|3F|40|21|24|27|28|29|2A|2C|3B)/gi;

/** Decodes the characters in a URL that HubSpot decodes before it signs the URL. */
export function decodeUrl(url: string): string {
  return url.replace(DECODED, decodeURIComponent);
}

/** Splits a URL or a request target before its query. */
export function splitQuery(url: string): { base: string; query: string } {
  const at = url.indexOf("?");
  return at === -1
    ? { base: url, query: "" }
    : { base: url.slice(0, at), query: url.slice(at) };
}

import { hash as digest } from "node:crypto";
import { formFieldsOf, type FormFields } from "./form.ts";
import type { SignedBytes } from "./mac.ts";
import type { SignedMessage } from "./message.ts";

/*
 * Twilio signs the URL and the fields of a form. For a body that is no form it signs the URL only, and appends the hash of the
 * body to the URL. https://www.twilio.com/docs/usage/security
 */

/**
 * The hash of the body must be the last parameter, as Twilio appends it. The signed text of a form begins with the URL too, so
 * text of a user in a form field could otherwise be sent again as a query with the hash of any body.
 */
const BODY_HASH = /[?&]bodySHA256=([0-9a-f]{64})$/;

/** Scheme, host, port and the rest of a URL. */
const URL_PARTS = /^(https?):\/\/((?:\[[^\]]*\]|[^:/?#])*)(:\d+)?(.*)$/s;

/**
 * Returns the alternatives for the bytes that Twilio signs. Twilio is not consistent about the port in the URL, so the URL counts
 * with its port and without.
 */
export function twilioSignedBytes(
  url: string,
  message: SignedMessage,
): readonly SignedBytes[] {
  const hash = BODY_HASH.exec(url)?.[1];
  if (hash !== undefined) {
    return hash === digest("sha256", message.body, "hex")
      ? urlsOf(url).map((one) => [one])
      : [];
  }
  const fields = formFieldsOf(message);
  if (fields === null) {
    return [];
  }
  const text = Buffer.from(formTextOf(fields));
  return urlsOf(url).map((one) => [one, text]);
}

/** Returns the URL of a body that is no form, with the hash of the body. */
export function withBodyHash(url: string, body: Buffer): string {
  const separator = url.includes("?") ? "&" : "?";
  return `${url}${separator}bodySHA256=${digest("sha256", body, "hex")}`;
}

/** Returns the names and values of a form, sorted by name. The values of one name are unique and sorted. */
function formTextOf(fields: FormFields): string {
  const values = new Map<string, Set<string>>();
  for (const [name, value] of fields) {
    values.set(name, (values.get(name) ?? new Set()).add(value));
  }
  return [...values.keys()]
    .sort()
    .flatMap((name) =>
      [...(values.get(name) ?? [])].sort().map((value) => name + value),
    )
    .join("");
}

/** Returns a URL without its port, and with it: the port in the URL, or the standard one. */
function urlsOf(url: string): readonly string[] {
  const [, protocol, host, port, rest] = URL_PARTS.exec(url) ?? [];
  if (protocol === undefined || host === undefined || rest === undefined) {
    return [url];
  }
  const standard = protocol === "https" ? ":443" : ":80";
  return [
    `${protocol}://${host}${rest}`,
    `${protocol}://${host}${port ?? standard}${rest}`,
  ];
}

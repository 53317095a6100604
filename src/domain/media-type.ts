import type { MediaType } from "./scheme.ts";

const JSON_TYPE = /^application\/(?:json|[a-z0-9!#$&^_.-]+\+json)$/;
const FORM_TYPE = "application/x-www-form-urlencoded";
/** `utf8` is also a label of UTF-8 in the Encoding Standard, and many senders use it. */
const UTF8_CHARSET = /^charset=(?:utf-?8|"utf-?8")$/;

/** A Content-Type. */
export interface ContentType {
  /** The media type without parameters, in lower case; "" if there is none. */
  readonly name: string;
  /** `unreadable`: JSON or a form in a charset other than UTF-8. */
  readonly kind: MediaType | "other" | "unreadable";
}

const JSON_CONTENT: ContentType = { name: "application/json", kind: "json" };

/** Parses a Content-Type. */
export function parseContentType(contentType: string | undefined): ContentType {
  if (contentType === "application/json") {
    return JSON_CONTENT;
  }
  const [name = "", ...parameters] = (contentType ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const kind = JSON_TYPE.test(name)
    ? "json"
    : name === FORM_TYPE
      ? "form"
      : "other";
  const isUtf8 = parameters.every(
    (parameter) =>
      !/^charset\s*=/.test(parameter) || UTF8_CHARSET.test(parameter),
  );
  return { name, kind: kind === "other" || isUtf8 ? kind : "unreadable" };
}

/** Returns whether a Content-Type is `application/json` or `application/*+json`. A charset, if any, must be UTF-8. */
export function isJsonMediaType(contentType: string | undefined): boolean {
  return parseContentType(contentType).kind === "json";
}

/** Returns whether the body is sent unencoded: no Content-Encoding, or `identity`. */
export function isIdentityEncoding(
  contentEncoding: string | undefined,
): boolean {
  return (
    contentEncoding === undefined ||
    contentEncoding.toLowerCase() === "identity"
  );
}

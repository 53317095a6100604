const JSON_TYPE = /^application\/(?:json|[a-z0-9!#$&^_.-]+\+json)$/;
/** `utf8` is also a label of UTF-8 in the Encoding Standard, and many senders use it. */
const UTF8_CHARSET = /^charset=(?:utf-?8|"utf-?8")$/;

/** Returns whether a Content-Type is `application/json` or `application/*+json`. A charset, if any, must be UTF-8. */
export function isJsonMediaType(contentType: string | undefined): boolean {
  if (contentType === "application/json") {
    return true;
  }
  const [type, ...parameters] = (contentType ?? "")
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  return (
    JSON_TYPE.test(type ?? "") &&
    parameters.every(
      (parameter) =>
        !/^charset\s*=/.test(parameter) || UTF8_CHARSET.test(parameter),
    )
  );
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

const JSON_TYPE = /^application\/(?:json|[a-z0-9!#$&^_.-]+\+json)$/;
/** The Encoding Standard has `utf8` as a label of UTF-8, and many senders write it. */
const UTF8_CHARSET = /^charset=(?:utf-?8|"utf-?8")$/;

/** Whether a Content-Type is `application/json` or `application/*+json`, in UTF-8 where it names a charset. */
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

/** Whether the body is sent as it is: no Content-Encoding, or `identity`. */
export function isIdentityEncoding(
  contentEncoding: string | undefined,
): boolean {
  return (
    contentEncoding === undefined ||
    contentEncoding.toLowerCase() === "identity"
  );
}

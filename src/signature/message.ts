/** A request as received, with its exact body. It is not verified yet. */
export interface SignedMessage {
  readonly method: string;
  /** The request target: path and query. */
  readonly url: string;
  /** By lower-case name. The listener has rejected duplicates of every header that the scheme reads. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** Returns the value of a header; "" if it is absent. */
export function headerOf(
  { headers }: Pick<SignedMessage, "headers">,
  name: string,
): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

const FORM = "application/x-www-form-urlencoded";
const JSON_TYPE = /^application\/(?:json|[a-z0-9!#$&^_.-]+\+json)$/;

/** Returns whether the Content-Type of a message says that its body is JSON. */
export function isJsonMessage(message: SignedMessage): boolean {
  return JSON_TYPE.test(mediaTypeOf(message));
}

/** Returns whether the Content-Type of a message says that its body is a form. */
export function isFormMessage(message: SignedMessage): boolean {
  return mediaTypeOf(message) === FORM;
}

/** Returns the lower-case media type, without parameters. */
function mediaTypeOf(message: SignedMessage): string {
  const contentType = headerOf(message, "content-type");
  const semicolon = contentType.indexOf(";");
  return (semicolon === -1 ? contentType : contentType.slice(0, semicolon))
    .trim()
    .toLowerCase();
}

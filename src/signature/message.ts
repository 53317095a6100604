import { type ContentType, parseContentType } from "../domain/media-type.ts";

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

/** Returns whether the Content-Type of a message says that its body is JSON. */
export function isJsonMessage(message: SignedMessage): boolean {
  return kindOf(message) === "json";
}

/** Returns whether the Content-Type of a message says that its body is a form. */
export function isFormMessage(message: SignedMessage): boolean {
  return kindOf(message) === "form";
}

function kindOf(message: SignedMessage): ContentType["kind"] {
  return parseContentType(headerOf(message, "content-type")).kind;
}

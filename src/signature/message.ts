/** A request as it was received, with its exact body. Nothing of it is believed yet. */
export interface SignedMessage {
  readonly method: string;
  /** The request target: path and query. */
  readonly url: string;
  /** By lower-case name. A header that a scheme reads appears once at most: the listener rejects a repeated one. */
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

/** The value of a header of a message; "" when it is absent. */
export function headerOf(
  { headers }: Pick<SignedMessage, "headers">,
  name: string,
): string {
  const value = headers[name];
  return typeof value === "string" ? value : "";
}

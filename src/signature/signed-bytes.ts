import type { Scheme } from "../domain/scheme.ts";
import type { Source } from "../domain/source.ts";
import type { SignedBytes } from "./mac.ts";
import type { SignedMessage } from "./message.ts";
import { decodeUrl, publicUrlOf } from "./public-url.ts";
import {
  compileTemplate,
  type Placeholder,
  type SignedParts,
} from "./template.ts";
import { twilioSignedBytes } from "./twilio.ts";

/** What the signature of a scheme covers. */
export interface Signed {
  readonly names: ReadonlySet<Placeholder>;
  /** Whether the signature covers the public URL, so that a source needs one. */
  readonly usesUrl: boolean;
  /** Whether the same bytes cannot be those of two messages that differ in what is signed. Bodies are JSON here. */
  readonly hasOneReading: boolean;
  /**
   * Returns the alternatives for the signed bytes of a message. A signature over any of them is valid. The first one identifies
   * the message for the replay guard. Empty: no signature of this message can be valid.
   */
  readonly alternatives: (
    source: Pick<Source, "publicUrl">,
    message: SignedMessage,
    parts: Pick<SignedParts, "id" | "timestamp">,
  ) => readonly SignedBytes[];
}

const NO_URL = { url: "", decoded_url: "" };

/** Compiles what a scheme signs. Throws TypeError if its template is invalid. */
export function compileSigned({
  name,
  signed,
}: Pick<Scheme, "name" | "signed">): Signed {
  if (typeof signed !== "string") {
    return {
      names: new Set(["url", "body"]),
      usesUrl: true,
      // The order of the fields is not signed, nor where a name ends and its value begins.
      hasOneReading: false,
      alternatives: (source, message) =>
        twilioSignedBytes(publicUrlOf(source, message), message),
    };
  }
  const template = compileTemplate(signed);
  if (template === null) {
    throw new TypeError(`scheme ${name} has an invalid template`);
  }
  const { names, isSeparated, fill } = template;
  const usesUrl = names.has("url") || names.has("decoded_url");
  return {
    names,
    usesUrl,
    hasOneReading: isSeparated,
    alternatives: (source, message, { id, timestamp }) => {
      const { method, body } = message;
      const urls = usesUrl ? urlsOf(source, message) : NO_URL;
      return [fill({ id, timestamp, method, body, ...urls })];
    },
  };
}

/** Returns whether a scheme signs the URL, so that a source needs `publicUrl`. */
export function signsUrl(scheme: Pick<Scheme, "name" | "signed">): boolean {
  return compileSigned(scheme).usesUrl;
}

function urlsOf(
  source: Pick<Source, "publicUrl">,
  message: SignedMessage,
): typeof NO_URL {
  const url = publicUrlOf(source, message);
  return { url, decoded_url: decodeUrl(url) };
}

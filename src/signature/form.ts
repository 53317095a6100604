import { isFormMessage, type SignedMessage } from "./message.ts";

/** The fields of a form in the body, in order. Several values may have one name. */
export type FormFields = readonly (readonly [name: string, value: string])[];

/** Senders use fewer than a hundred. More would cost time before the signature is verified. */
const MAX_FIELDS = 1000;
/** The longest form, in bytes. Those of senders have a few kilobytes. */
const MAX_BYTES = 1_048_576;

/** Returns the fields of a message with a form; null for another media type, and for a form that is too long. */
export function formFieldsOf(message: SignedMessage): FormFields | null {
  if (!isFormMessage(message)) {
    return null;
  }
  const { body } = message;
  if (body.length > MAX_BYTES) {
    return null;
  }
  let separators = 0;
  for (
    let at = body.indexOf("&");
    at !== -1 && separators < MAX_FIELDS;
    at = body.indexOf("&", at + 1)
  ) {
    separators += 1;
  }
  return separators < MAX_FIELDS
    ? [...new URLSearchParams(withSpaces(body).toString("utf8"))]
    : null;
}

const PLUS = 0x2b;
const SPACE = 0x20;

/** Replaces each `+`, which stands for a space. URLSearchParams takes twenty times as long for it. */
function withSpaces(body: Buffer): Buffer {
  const copy = Buffer.from(body);
  for (let at = 0; at < copy.length; at += 1) {
    if (copy[at] === PLUS) {
      copy[at] = SPACE;
    }
  }
  return copy;
}

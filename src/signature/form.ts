import { isFormMessage, type SignedMessage } from "./message.ts";

/** The fields of a form in the body, in order. Several values may have one name. */
export type FormFields = readonly (readonly [name: string, value: string])[];

/** Senders use fewer than a hundred. More would cost time before the signature is verified. */
const MAX_FIELDS = 1000;

/** Returns the fields of a message with a form; null for another media type, and for a form with too many fields. */
export function formFieldsOf(message: SignedMessage): FormFields | null {
  if (!isFormMessage(message)) {
    return null;
  }
  const { body } = message;
  let separators = 0;
  for (
    let at = body.indexOf("&");
    at !== -1 && separators < MAX_FIELDS;
    at = body.indexOf("&", at + 1)
  ) {
    separators += 1;
  }
  return separators < MAX_FIELDS
    ? [...new URLSearchParams(body.toString("utf8"))]
    : null;
}

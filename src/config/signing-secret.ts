import { z } from "zod";
import type { Scheme } from "../domain/scheme.ts";
import { readKey } from "../signature/keys.ts";
import { HOW_TO_MAKE_ONE, repetitionError, secretError } from "./secret.ts";

/** Schemes whose secret the user of Hexhook chooses. The other ones come from the sender. */
const CHOSEN_BY_USER: readonly string[] = ["hex", "hex-body", "custom"];

const COPY_AGAIN = "copy the whole secret again from the sender";

/** A shorter secret of a scheme without a minimum can be guessed from one signed message. */
const SHORT_BYTES = 16;

/** A secret that a scheme can use. `scheme`: null = unknown, so only what holds for all secrets is checked. */
export function signingSecretOf(
  scheme: Scheme | null,
): z.ZodType<string, string> {
  return checkedText((secret) =>
    scheme === null ? null : signingSecretError(scheme, secret),
  );
}

/** A token that the sender repeats in a handshake. */
export const handshakeToken = checkedText(secretError);

function checkedText(
  error: (text: string) => string | null,
): z.ZodType<string, string> {
  return z.string().superRefine((text, context) => {
    const found = error(text);
    if (found !== null) {
      context.addIssue(found);
    }
  });
}

/** Returns why a scheme cannot use a secret, or null. */
export function signingSecretError(
  scheme: Scheme,
  secret: string,
): string | null {
  const {
    format,
    minBytes,
    maxBytes = Number.POSITIVE_INFINITY,
  } = scheme.secret;
  // A public key in PEM has several lines.
  const isPem = format === "spki" && secret.startsWith("-----BEGIN ");
  const general = isPem ? null : secretError(secret);
  if (general !== null) {
    return general;
  }
  const read = readKey(scheme, secret);
  if ("error" in read) {
    return read.error;
  }
  const { key, publicKey } = read;
  if (publicKey !== null) {
    return null;
  }
  const has = format === "text" ? "is" : "has a key that is";
  if (key.length < minBytes) {
    const advice = CHOSEN_BY_USER.includes(scheme.name)
      ? HOW_TO_MAKE_ONE
      : COPY_AGAIN;
    return `${has} shorter than ${minBytes} bytes; ${advice}`;
  }
  if (key.length > maxBytes) {
    return `${has} longer than ${maxBytes} bytes; ${COPY_AGAIN}`;
  }
  return repetitionError(key);
}

/** Returns why a valid secret is weak, or null. */
export function signingSecretWarning(
  scheme: Scheme,
  secret: { readonly key: Buffer },
): string | null {
  return secret.key.length < Math.max(SHORT_BYTES, scheme.secret.minBytes)
    ? `is shorter than ${SHORT_BYTES} bytes, so it can be guessed; set a longer one with the sender`
    : null;
}

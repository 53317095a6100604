import { readTextFile } from "./text-file.ts";

const MIN_SECRET_BYTES = 24;
const MAX_FILE_BYTES = 65_536;
export const HOW_TO_MAKE_ONE = "make one with `hexhook secrets generate`";

/** Values left over from examples and templates. */
const PLACEHOLDERS = [
  /^[*x.•-]+$/i,
  /^<.*>$/,
  /change[-_ ]?(?:me|it|this)/i,
  /replace[-_ ]?(?:me|this|with)/i,
  /your[-_ ]?(?:[a-z]+[-_ ]?)?(?:secret|key|token)/i,
  /(?:insert|enter|put|paste|add)[-_ ].*(?:secret|key|token).*here/i,
  /placeholder/i,
  /^(?:todo|fixme|tbd)\b/i,
  /\*{3}/,
  // Variables that a template or a shell should have replaced.
  /^\$[({\w]|^\{\{.*\}\}$|^%\w+%$/,
];

/** Control characters, and the character that Node substitutes for bytes in the environment that are not UTF-8. */
// eslint-disable-next-line no-control-regex -- control characters are what it matches
const CONTROL_OR_REPLACED = /[\0-\x1f\x7f\ufffd]/;

const WHSEC = /^whsec_(.*)$/s;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Returns why a signing secret is not valid, or null. No text from this file contains a secret. */
export function signingSecretError(secret: string): string | null {
  return secretError(secret) ?? lengthError(Buffer.byteLength(secret));
}

/** Returns why a secret that signs attempts is not valid, or null. After `whsec_` the text must be the key in base64. */
export function outboundSecretError(secret: string): string | null {
  const encoded = WHSEC.exec(secret)?.[1];
  if (encoded === undefined) {
    return signingSecretError(secret);
  }
  if (encoded === "" || !BASE64.test(encoded)) {
    return "must be base64 after whsec_";
  }
  const key = Buffer.from(encoded, "base64");
  return (
    secretError(secret) ??
    lengthError(key.length, "whsec_") ??
    repetitionError(key)
  );
}

/** Returns why a bearer token or API key is not valid, or null. It is sent in a header, so it must be visible ASCII. */
export function headerSecretError(token: string): string | null {
  return (
    secretError(token) ??
    (/^[\x21-\x7e]+$/.test(token)
      ? null
      : "must be visible ASCII characters without spaces")
  );
}

/** Returns why a secret header value is not valid, or null. */
export function headerValueSecretError(value: string): string | null {
  return secretError(value) ?? headerValueError(value);
}

export const MAX_HEADER_VALUE = 4096;

/** Returns why a header value is not valid, or null. */
export function headerValueError(value: string): string | null {
  return value.length <= MAX_HEADER_VALUE &&
    /^[\x21-\x7e]+(?: +[\x21-\x7e]+)*$/.test(value)
    ? null
    : `must be 1 to ${MAX_HEADER_VALUE} characters of visible ASCII, with spaces only between them`;
}

/** Returns why the token of the management API is not valid, or null. */
export function adminTokenError(token: string): string | null {
  return headerSecretError(token) ?? lengthError(token.length);
}

function lengthError(bytes: number, prefix?: string): string | null {
  const beginning =
    prefix === undefined ? "is" : `has a key after ${prefix} that is`;
  return bytes < MIN_SECRET_BYTES
    ? `${beginning} shorter than ${MIN_SECRET_BYTES} bytes; ${HOW_TO_MAKE_ONE}`
    : null;
}

/** Returns an error if all bytes of a key are equal, or null. */
export function repetitionError(key: Buffer): string | null {
  return new Set(key).size === 1
    ? "repeats a single byte; replace it with a random value"
    : null;
}

/** Returns why a text cannot be a secret of any kind, or null. */
export function secretError(secret: string): string | null {
  if (secret.trim() === "") {
    return "contains only white space; replace it with the real value";
  }
  if (secret !== secret.trim()) {
    return "starts or ends with white space; remove it";
  }
  if (/^["'`“‘«].*["'`”’»]$/s.test(secret)) {
    return "is in quotes; remove them";
  }
  if (PLACEHOLDERS.some((placeholder) => placeholder.test(secret))) {
    return `is a placeholder; replace it with the real value`;
  }
  if (CONTROL_OR_REPLACED.test(secret)) {
    return "contains a newline, another control character or bytes that are not UTF-8; remove them";
  }
  return repetitionError(Buffer.from(secret));
}

/** Reads a secret from a file. One newline at the end is ignored, because editors and `echo` add it. */
export function readSecretFile(
  file: string,
): { value: string } | { error: string } {
  const read = readTextFile(file, MAX_FILE_BYTES);
  if ("error" in read) {
    return read;
  }
  const value = read.text.replace(/\r?\n$/, "");
  return value === ""
    ? { error: "names an empty file; write the secret into it" }
    : { value };
}

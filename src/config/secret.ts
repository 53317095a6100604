import { readTextFile } from "./text-file.ts";

const MIN_SECRET_BYTES = 24;
const MAX_FILE_BYTES = 65_536;
const HOW_TO_MAKE_ONE = "`hexhook secrets generate` makes one";

/** Values that examples and templates leave behind. */
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
  // What a template or a shell should have replaced.
  /^\$[({\w]|^\{\{.*\}\}$|^%\w+%$/,
];

/** A second line, or what Node makes of bytes in the environment that are not UTF-8. */
// eslint-disable-next-line no-control-regex -- these are what it looks for
const CONTROL_OR_REPLACED = /[\0-\x1f\x7f\ufffd]/;

const WHSEC = /^whsec_(.*)$/s;
const BASE64 =
  /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** Why a text cannot be a signing secret, or null when it can. Never repeats it. */
export function signingSecretError(secret: string): string | null {
  return secretError(secret) ?? shortness(Buffer.byteLength(secret));
}

/** The same for a secret that attempts are signed with; after `whsec_` it must be base64, and what it encodes is the key. */
export function outboundSecretError(secret: string): string | null {
  const encoded = WHSEC.exec(secret)?.[1];
  if (encoded === undefined) {
    return signingSecretError(secret);
  }
  if (encoded === "" || !BASE64.test(encoded)) {
    return "must be base64 behind whsec_";
  }
  const key = Buffer.from(encoded, "base64");
  return (
    secretError(secret) ?? shortness(key.length, "whsec_") ?? monotony(key)
  );
}

/** The same for what goes into an Authorization header (the token of the management API, keys of the Hex API): visible ASCII. */
export function headerSecretError(token: string): string | null {
  return (
    secretError(token) ??
    (/^[\x21-\x7e]+$/.test(token)
      ? null
      : `must be visible ASCII without blanks; ${HOW_TO_MAKE_ONE}`)
  );
}

/** The same for a secret that is the whole value of a header. */
export function headerValueSecretError(value: string): string | null {
  return secretError(value) ?? headerValueError(value);
}

const MAX_HEADER_VALUE = 4096;

/** Why a text cannot be the value of a header, or null when it can. Never repeats it. */
export function headerValueError(value: string): string | null {
  return value.length <= MAX_HEADER_VALUE &&
    /^[\x21-\x7e]+(?: +[\x21-\x7e]+)*$/.test(value)
    ? null
    : `must be 1 to ${MAX_HEADER_VALUE} characters of visible ASCII, with spaces only between them`;
}

/** The same for the token of the management API, which has a minimum length too. */
export function adminTokenError(token: string): string | null {
  return headerSecretError(token) ?? shortness(token.length);
}

function shortness(bytes: number, prefix?: string): string | null {
  const what =
    prefix === undefined ? "is" : `has a key after ${prefix} that is`;
  return bytes < MIN_SECRET_BYTES
    ? `${what} shorter than ${MIN_SECRET_BYTES} bytes; ${HOW_TO_MAKE_ONE}`
    : null;
}

function monotony(key: Buffer): string | null {
  return new Set(key).size === 1
    ? `is one byte repeated; ${HOW_TO_MAKE_ONE}`
    : null;
}

function secretError(secret: string): string | null {
  if (secret.trim() === "") {
    return "is blank";
  }
  if (secret !== secret.trim()) {
    return "begins or ends with white space; take it away";
  }
  if (/^["'`“‘«].*["'`”’»]$/s.test(secret)) {
    return "is wrapped in quotes; take them away";
  }
  if (PLACEHOLDERS.some((placeholder) => placeholder.test(secret))) {
    return `is a placeholder; ${HOW_TO_MAKE_ONE}`;
  }
  if (CONTROL_OR_REPLACED.test(secret)) {
    return "has a newline, another control character or bytes that are not UTF-8 in it";
  }
  return monotony(Buffer.from(secret));
}

/** Reads a secret from a file; one newline at its end is ignored, since editors and `echo` put it there. */
export function readSecretFile(
  file: string,
): { value: string } | { error: string } {
  const read = readTextFile(file, MAX_FILE_BYTES);
  if ("error" in read) {
    return read;
  }
  const value = read.text.replace(/\r?\n$/, "");
  return value === "" ? { error: "names a file that is empty" } : { value };
}

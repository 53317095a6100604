import { isUtf8 } from "node:buffer";
import type { EarlierBody } from "./earlier-body.ts";

const FIX =
  "verify the raw bytes of the body; do not decode it to text and encode it again";

/** The byte of each character of Windows-1252. */
const WINDOWS_1252: ReadonlyMap<string, number> = new Map(
  Array.from({ length: 256 }, (_, byte) => [
    new TextDecoder("windows-1252").decode(Uint8Array.of(byte)),
    byte,
  ]),
);

/** Yields the bodies before a conversion of their character set. */
export function* charsetsOf(body: Buffer): Generator<EarlierBody> {
  const text = body.toString("utf8");
  if (isUtf8(body)) {
    yield* fromUtf8(text);
  } else {
    yield {
      cause: "charset",
      body: Buffer.from(new TextDecoder("windows-1252").decode(body)),
      says: "the body was converted from UTF-8 to ISO-8859-1 or Windows-1252",
      fix: FIX,
    };
    yield {
      cause: "charset",
      body: Buffer.from(body.toString("utf16le")),
      says: "the body was converted from UTF-8 to UTF-16",
      fix: "save the body as UTF-8; `>` of PowerShell writes UTF-16",
    };
  }
}

function* fromUtf8(text: string): Generator<EarlierBody> {
  for (const single of [Buffer.from(text, "latin1"), windows1252(text)]) {
    if (single !== null) {
      yield {
        cause: "charset",
        body: single,
        says: isUtf8(single)
          ? "the body is UTF-8 that was read as ISO-8859-1 or Windows-1252 and encoded again"
          : "the body was converted from ISO-8859-1 or Windows-1252 to UTF-8",
        fix: FIX,
      };
    }
  }
  for (const form of ["NFD", "NFC"]) {
    yield {
      cause: "charset",
      body: Buffer.from(text.normalize(form)),
      says: `the characters of the body were normalised: the sender signed Unicode form ${form}`,
      fix: FIX,
    };
  }
  yield {
    cause: "charset",
    body: Buffer.from(text, "utf16le"),
    says: "the body was converted from UTF-16 to UTF-8",
    fix: FIX,
  };
}

/** Null if a character is not in Windows-1252. */
function windows1252(text: string): Buffer | null {
  const bytes: number[] = [];
  for (const char of text) {
    const byte = WINDOWS_1252.get(char);
    if (byte === undefined) {
      return null;
    }
    bytes.push(byte);
  }
  return Buffer.from(bytes);
}

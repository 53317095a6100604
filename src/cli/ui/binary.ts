const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}]/u;
const LINE_CHARACTERS = /[\t\n\r]/g;

/** Whether bytes are not plain text: not valid UTF-8, or with characters that control a terminal. */
export function isBinary(bytes: Buffer): boolean {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
    return CONTROL.test(text.replace(LINE_CHARACTERS, ""));
  } catch {
    return true;
  }
}

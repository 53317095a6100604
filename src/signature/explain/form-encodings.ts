import type { EarlierBody } from "./earlier-body.ts";

const FORM = /^[^=&\s{["]+=[^\s{["]*$/;

const FIX =
  "verify the raw bytes of the form; do not build it again from its fields";

/** Yields the ways to write a form, and the JSON or the form that the body was made from. */
export function* formsOf(body: Buffer): Generator<EarlierBody> {
  const text = body.toString("utf8");
  if (FORM.test(text)) {
    for (const written of [
      text.replaceAll("%20", "+"),
      text.replaceAll("+", "%20"),
      text.replace(/%[0-9a-fA-F]{2}/g, (escape) => escape.toUpperCase()),
      text.replace(/%[0-9a-fA-F]{2}/g, (escape) => escape.toLowerCase()),
      new URLSearchParams(text).toString(),
      decoded(text),
    ]) {
      yield {
        cause: "form-reencoded",
        body: Buffer.from(written),
        says: "the form was decoded and encoded again",
        fix: FIX,
      };
    }
    const payload = new URLSearchParams(text).get("payload");
    if (payload !== null) {
      yield {
        cause: "form-reencoded",
        body: Buffer.from(payload),
        says: "the JSON of the body was put into the field payload of a form",
        fix: FIX,
      };
    }
  } else {
    for (const value of [
      encodeURIComponent(text),
      new URLSearchParams({ "": text }).toString().slice(1),
    ]) {
      yield {
        cause: "form-reencoded",
        body: Buffer.from(`payload=${value}`),
        says: "only the field payload of a form was passed on, decoded",
        fix: FIX,
      };
    }
  }
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

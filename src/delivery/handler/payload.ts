import { parseContentType } from "../../domain/media-type.ts";
import type { StoredEvent } from "../../domain/event.ts";
import type { UnknownPayload } from "../../domain/handler.ts";
import { decodeJson } from "../../json/decode.ts";

/**
 * Parses the body of an event. A form becomes an object of its fields. A field that occurs more than once is an array. Throws
 * TypeError if the body is neither JSON nor a form.
 */
export function payloadOf({
  contentType,
  body,
}: Pick<StoredEvent, "contentType" | "body">): UnknownPayload {
  if (parseContentType(contentType).kind === "form") {
    return formPayload(new URLSearchParams(body.toString("utf8")));
  }
  try {
    return JSON.parse(decodeJson(body)) as UnknownPayload;
  } catch {
    // The error of the parser would contain a part of the body.
    throw new TypeError(
      "event.payload: the body is neither JSON nor a form; use event.rawBody",
    );
  }
}

function formPayload(fields: URLSearchParams): UnknownPayload {
  const values = new Map<string, string | string[]>();
  for (const [name, value] of fields) {
    const earlier = values.get(name);
    if (earlier === undefined) {
      values.set(name, value);
    } else if (typeof earlier === "string") {
      values.set(name, [earlier, value]);
    } else {
      earlier.push(value);
    }
  }
  return Object.fromEntries(values);
}

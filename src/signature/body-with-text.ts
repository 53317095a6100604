import type { Place } from "../domain/scheme.ts";
import { namesOf } from "../json/json-pointer.ts";
import { formFieldsOf } from "./form.ts";
import type { SignedMessage } from "./message.ts";

/** A request that cannot be signed. The message says what to do. */
export class SignError extends Error {
  override readonly name = "SignError";
}

/**
 * Returns the body of a message with a text at a place: the JSON or the form is parsed and serialised again. A number stays a
 * number. A body that is no form has no fields, and is returned as it is. Throws SignError if the JSON has no such place.
 */
export function bodyWithText(
  message: SignedMessage,
  place: Place,
  text: string,
): Buffer {
  if ("pointer" in place) {
    return jsonWithText(message.body, place.pointer, text);
  }
  const fields = formFieldsOf(message);
  if (!("fields" in place) || fields === null) {
    return message.body;
  }
  const form = new URLSearchParams(fields.map(([...field]) => field));
  const name =
    place.fields.find((one) => form.has(one)) ?? place.fields[0] ?? "";
  form.set(name, text);
  return Buffer.from(form.toString());
}

function jsonWithText(body: Buffer, pointer: string, text: string): Buffer {
  let document: unknown;
  try {
    document = JSON.parse(body.toString("utf8"));
  } catch {
    throw new SignError(`the body must be JSON, to set ${pointer} in it`);
  }
  const names = namesOf(pointer);
  let parent: unknown = document;
  for (const [n, name] of names.entries()) {
    if (!isContainer(parent)) {
      throw new SignError(`the body has no place for ${pointer}`);
    }
    if (n < names.length - 1) {
      if (!Object.hasOwn(parent, name)) {
        define(parent, name, {});
      }
      parent = parent[name];
    } else {
      const isNumber = typeof parent[name] === "number";
      define(parent, name, isNumber ? Number(text) : text);
    }
  }
  return Buffer.from(JSON.stringify(document));
}

function isContainer(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** Assigning to `__proto__` would change the prototype instead. */
function define(
  parent: Record<string, unknown>,
  name: string,
  value: unknown,
): void {
  Object.defineProperty(parent, name, {
    value,
    enumerable: true,
    configurable: true,
    writable: true,
  });
}

import type { Scheme } from "../domain/scheme.ts";
import { namesOf } from "../json/json-pointer.ts";
import { readTextAt } from "../json/read-members.ts";
import { headerOf, type SignedMessage } from "./message.ts";
import {
  compileOffered,
  type Offered,
  type OfferedSignatures,
  type SignatureFault,
} from "./offered.ts";
import { NO_PAIRS } from "./place.ts";

export type ReadSignatures = (
  message: SignedMessage,
) => OfferedSignatures | SignatureFault;

/** Returns a function that reads all signatures of a message. `headers`: the names of the signature headers, if any. */
export function compileReadSignatures(
  scheme: Scheme,
  headers: readonly string[],
): ReadSignatures {
  const readOffered = compileOffered(scheme);
  const { from } = scheme.signature;
  if ("pointer" in from) {
    const names = namesOf(from.pointer);
    return ({ body }) => {
      const text = readTextAt(body, names);
      return text === undefined
        ? "missing_signature"
        : text === null || text === ""
          ? "malformed_signature"
          : readOffered(text);
    };
  }
  const [header = ""] = headers;
  if (headers.length === 1) {
    return (message) => {
      const text = headerOf(message, header);
      return text === "" ? "missing_signature" : readOffered(text);
    };
  }
  return (message) => {
    const texts = headers
      .map((name) => headerOf(message, name))
      .filter((text) => text !== "");
    if (texts.length === 0) {
      return "missing_signature";
    }
    const offered = texts.flatMap((text): readonly Offered[] => {
      const read = readOffered(text);
      return typeof read === "string" ? [] : read.offered;
    });
    return offered.length === 0
      ? "malformed_signature"
      : { offered, pairs: NO_PAIRS };
  };
}

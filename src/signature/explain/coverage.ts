import type { Scheme } from "../../domain/scheme.ts";
import { compileSigned } from "../signed-bytes.ts";

/** The parts of a request that a signature covers. */
export interface Coverage {
  readonly body: boolean;
  readonly url: boolean;
  readonly method: boolean;
}

/** Returns what the signatures of a scheme cover. A token covers nothing. */
export function coverageOf(scheme: Scheme): Coverage {
  if (scheme.algorithm === "token") {
    return { body: false, url: false, method: false };
  }
  const { names, usesUrl } = compileSigned(scheme);
  return {
    body: names.has("body"),
    url: usesUrl,
    method: names.has("method"),
  };
}

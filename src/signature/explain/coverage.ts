import type { Scheme } from "../../domain/scheme.ts";
import { compileTemplate } from "../template.ts";

/** The parts of a request that a signature covers. */
export interface Coverage {
  readonly body: boolean;
  readonly url: boolean;
  readonly method: boolean;
}

/** Returns what the signatures of a scheme cover. */
export function coverageOf({ signed, algorithm }: Scheme): Coverage {
  if (algorithm === "token") {
    return { body: false, url: false, method: false };
  }
  if (typeof signed !== "string") {
    return { body: true, url: true, method: false };
  }
  const names: ReadonlySet<string> =
    compileTemplate(signed)?.names ?? new Set();
  return {
    body: names.has("body"),
    url: names.has("url") || names.has("decoded_url"),
    method: names.has("method"),
  };
}

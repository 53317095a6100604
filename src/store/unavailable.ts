import { StoreError } from "../errors.ts";

/** The codes of errors after which a database server may soon be usable: it starts, is busy, or cannot be reached. */
const CODES: ReadonlySet<string> = new Set([
  "POSTGRES_UNREACHABLE",
  "POSTGRES_TIMEOUT",
  // too_many_connections
  "53300",
]);

/** Whether the store may be usable if the same is tried again a little later. */
export function isUnavailable(error: unknown): error is StoreError {
  return error instanceof StoreError && CODES.has(error.code);
}

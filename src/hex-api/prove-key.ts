import { createHexCall, type HexClientOptions } from "./hex-call.ts";
import { HEALTH } from "./hex-reader.ts";
import type { HexAnswer } from "./hex-request.ts";

/**
 * Checks that the API accepts a key, with `GET /health`. Rejects with HexDeniedError if nothing was sent, otherwise with
 * HexApiError.
 */
export function proveKey(
  options: HexClientOptions,
  key: string,
  signal?: AbortSignal,
): Promise<HexAnswer> {
  return createHexCall(options, key)(HEALTH, { signal });
}

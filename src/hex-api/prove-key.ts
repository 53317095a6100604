import { createHexCall, type HexClientOptions } from "./hex-call.ts";
import { HEALTH } from "./hex-reader.ts";
import type { HexAnswer } from "./hex-request.ts";

/**
 * Proves that the API takes a key, whichever it is: `GET /health` with it. Rejects with HexDeniedError when nothing was
 * sent, and else with HexApiError.
 */
export function proveKey(
  options: HexClientOptions,
  key: string,
  signal?: AbortSignal,
): Promise<HexAnswer> {
  return createHexCall(options, key)(HEALTH, { signal });
}

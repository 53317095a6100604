import { createHexCall, type HexClientOptions } from "./hex-call.ts";
import { type HexAnswer } from "./hex-request.ts";

/** Asks the API whether it is well, which it tells to whoever has a key. */
export const HEALTH = {
  method: "GET",
  path: "health",
  scope: "read:health",
} as const;

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

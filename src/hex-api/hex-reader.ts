import {
  createHexCall,
  type HexCall,
  type HexClientOptions,
} from "./hex-call.ts";
import type { HexAnswer } from "./hex-request.ts";

/** Asks the API whether it is well, which it tells to whoever has a key. */
export const HEALTH = {
  method: "GET",
  path: "health",
  scope: "read:health",
} as const;

/** Reads from the Hex API with the read key. It has no way to write, and never holds another key. */
export class HexReader {
  readonly #call: HexCall;

  /** `readKey` is the only key that is ever sent; null = there is none, and every call is denied. */
  constructor(options: HexClientOptions & { readonly readKey: string | null }) {
    this.#call = createHexCall(options, options.readKey);
  }

  /**
   * Asks the API whether it is well and takes the key (`GET /health`; needs `read:health`). Resolves with its answer;
   * rejects with HexDeniedError when nothing was sent, and else with HexApiError.
   */
  health(options: { readonly signal?: AbortSignal } = {}): Promise<HexAnswer> {
    return this.#call(HEALTH, options);
  }
}

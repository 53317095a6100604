import {
  createHexCall,
  type HexCall,
  type HexClientOptions,
} from "./hex-call.ts";
import type { HexAnswer } from "./hex-request.ts";

/** The health check of the API, which accepts any valid key. */
export const HEALTH = {
  method: "GET",
  path: "health",
  scope: "read:health",
} as const;

/** Reads from the Hex API with the read key. Cannot write, and holds no other key. */
export class HexReader {
  readonly #call: HexCall;

  /** `readKey` is the only key that is sent; null = every call is denied. */
  constructor(options: HexClientOptions & { readonly readKey: string | null }) {
    this.#call = createHexCall(options, options.readKey);
  }

  /**
   * Checks the health of the API and the key (`GET /health`; needs `read:health`). Resolves with the response. Rejects with
   * HexDeniedError if nothing was sent, otherwise with HexApiError.
   */
  health(options: { readonly signal?: AbortSignal } = {}): Promise<HexAnswer> {
    return this.#call(HEALTH, options);
  }
}

import {
  createHexCall,
  type HexCall,
  type HexClientOptions,
} from "./hex-call.ts";

const TRACK = {
  method: "POST",
  path: "v1/track",
  scope: "write:audit",
} as const;

/** Facts of a tracked event: plain JSON values. */
export type HexProperties = Readonly<Record<string, unknown>>;

/** Writes to the Hex API with the write key, and has no way to read. */
export class HexWriter {
  readonly #call: HexCall;

  /** `writeKey` is the only key that is ever sent; null = there is none, and every call is denied. */
  constructor(
    options: HexClientOptions & { readonly writeKey: string | null },
  ) {
    this.#call = createHexCall(options, options.writeKey);
  }

  /**
   * Tells Hex analytics of an event, or of many in one call (`POST /v1/track`; needs `write:audit`):
   * `{"event":…,"properties":…}`, or an array of them. Under one `idempotencyKey` the API takes them once, however often
   * the call is made; a new one unless given. Resolves when the API has taken them; rejects with HexDeniedError when
   * nothing was sent, and else with HexApiError.
   */
  async track(
    event: string,
    properties: HexProperties | readonly HexProperties[],
    options: {
      readonly idempotencyKey?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<void> {
    const body = Array.isArray(properties)
      ? properties.map((one: HexProperties) => ({ event, properties: one }))
      : { event, properties };
    await this.#call(TRACK, { ...options, body: JSON.stringify(body) });
  }
}

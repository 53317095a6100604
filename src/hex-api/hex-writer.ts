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

/** Properties of a tracked event: plain JSON values. */
export type HexProperties = Readonly<Record<string, unknown>>;

/** Writes to the Hex API with the write key. Cannot read. */
export class HexWriter {
  readonly #call: HexCall;

  /** `writeKey` is the only key that is sent; null = every call is denied. */
  constructor(
    options: HexClientOptions & { readonly writeKey: string | null },
  ) {
    this.#call = createHexCall(options, options.writeKey);
  }

  /**
   * Sends one event, or several in one call, to Hex analytics (`POST /v1/track`; needs `write:audit`). The body is
   * `{"event":…,"properties":…}` or an array of them. The API accepts each `idempotencyKey` only once; default: a new key.
   * Resolves when the API has accepted the events. Rejects with HexDeniedError if nothing was sent, otherwise with HexApiError.
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
      ? properties.map((item: HexProperties) => ({ event, properties: item }))
      : { event, properties };
    await this.#call(TRACK, { ...options, body: JSON.stringify(body) });
  }
}

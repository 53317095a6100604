import { hexRequest, type HexRequestDeps } from "./hex-request.ts";

const TIMEOUT_MS = 10_000;

/** Facts of a tracked event: plain JSON values. */
export type HexProperties = Readonly<Record<string, unknown>>;

/** Writes to the Hex API with the write key, and has no way to read. */
export class HexWriter {
  readonly #deps: HexRequestDeps;
  readonly #url: URL;
  readonly #key: string;

  /** `apiUrl` is the Hex API's, such as `https://api.hex.com`; `writeKey` is the only key that is ever sent. */
  constructor(
    deps: HexRequestDeps,
    options: { readonly apiUrl: string; readonly writeKey: string },
  ) {
    this.#deps = deps;
    this.#url = new URL(
      "v1/track",
      options.apiUrl.endsWith("/") ? options.apiUrl : `${options.apiUrl}/`,
    );
    this.#key = options.writeKey;
  }

  /**
   * Tells Hex analytics of an event, or of many in one call: `{"event":…,"properties":…}`, or an array of them. Under one
   * `idempotencyKey` the API takes them once, however often the call is made. Resolves when it has taken them; rejects
   * with HexApiError after 10 seconds at most.
   */
  async track(
    event: string,
    properties: HexProperties | readonly HexProperties[],
    options: {
      readonly idempotencyKey?: string;
      readonly signal?: AbortSignal;
    } = {},
  ): Promise<void> {
    const { idempotencyKey, signal } = options;
    const body = Array.isArray(properties)
      ? properties.map((one: HexProperties) => ({ event, properties: one }))
      : { event, properties };
    await hexRequest(this.#deps, {
      method: "POST",
      url: this.#url,
      key: this.#key,
      body: JSON.stringify(body),
      headers:
        idempotencyKey === undefined
          ? {}
          : { "idempotency-key": idempotencyKey },
      timeoutMs: TIMEOUT_MS,
      signal,
    });
  }
}

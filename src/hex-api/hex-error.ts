/** A failed call of the Hex API. Never contains the key. */
export class HexApiError extends Error {
  override readonly name: string = "HexApiError";
  /** `status`, `timeout`, `network`, `aborted`, `denied`, or `no_api` (the response is a web page, so it is not from the API). */
  readonly reason: string;
  /** The status of the response, if any. */
  readonly status: number | undefined;
  /** The wait that the API asked for with Retry-After, in milliseconds; 0 = none. */
  readonly retryAfterMs: number;

  constructor(
    reason: string,
    options: { status?: number; retryAfterMs?: number; detail?: string } = {},
  ) {
    super(
      `the Hex API call failed: ${[reason, options.status, options.detail].filter((part) => part !== undefined).join(" ")}`,
    );
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

const WHY = {
  no_key: "no key is configured for it",
  not_granted: "HEX_SCOPES does not grant it",
  not_permitted: "the granted scope is wider than this environment permits",
} as const;

/** Why a call was not sent: there is no key, or the scope is not granted, or not permitted in this environment. */
export type Denial = keyof typeof WHY;

/** A call that was denied locally. Nothing was sent. */
export class HexDeniedError extends HexApiError {
  override readonly name = "HexDeniedError";
  /** The scope that the call needs, such as `write:audit`. */
  readonly scope: string;
  readonly denial: Denial;

  constructor(scope: string, denial: Denial) {
    super("denied", { detail: `(${scope}: ${WHY[denial]})` });
    this.scope = scope;
    this.denial = denial;
  }
}

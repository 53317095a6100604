/** A call of the Hex API that did not succeed. Says nothing of the key. */
export class HexApiError extends Error {
  override readonly name: string = "HexApiError";
  /** `status`, `timeout`, `network`, `aborted`, or `no_api` (a web page where the API should be). */
  readonly reason: string;
  /** Of the answer, where there was one. */
  readonly status: number | undefined;
  /** How long the API asks to be left alone, in milliseconds; 0 when it does not say. */
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
  no_key: "there is no key for it",
  not_granted: "HEX_SCOPES does not grant it",
  not_permitted:
    "the scope that covers it is wider than this environment permits",
} as const;

/** Why a call was not made: no key, or its scope is not granted or not permitted here. */
export type Denial = keyof typeof WHY;

/** A call of the Hex API that was refused here: nothing was sent. */
export class HexDeniedError extends HexApiError {
  override readonly name = "HexDeniedError";
  /** What the call needs, such as `write:audit`. */
  readonly scope: string;
  readonly denial: Denial;

  constructor(scope: string, denial: Denial) {
    super("denied", { detail: `(${scope}: ${WHY[denial]})` });
    this.scope = scope;
    this.denial = denial;
  }
}

/** Every error code that an answer can carry (RFC 9457 problem details), held to docs/errors.md by a test. */
export const PROBLEMS = {
  bad_request: { status: 400, title: "The request is malformed" },
  malformed_payload: {
    status: 400,
    title: "The body must be a JSON object with a string id and type",
  },
  unauthorized: { status: 401, title: "The request could not be verified" },
  not_found: { status: 404, title: "Not found" },
  method_not_allowed: {
    status: 405,
    title: "This method is not allowed here",
  },
  request_timeout: { status: 408, title: "The request took too long" },
  replayed: { status: 409, title: "This request was received before" },
  event_id_conflict: {
    status: 409,
    title: "This event id was received before with another body",
  },
  attempt_in_flight: {
    status: 409,
    title:
      "An attempt of this delivery is in flight, or another delivery goes first",
  },
  payload_too_large: { status: 413, title: "The body is too large" },
  unsupported_media_type: {
    status: 415,
    title: "The body must be JSON in UTF-8, without a content encoding",
  },
  too_many_requests: { status: 429, title: "Too many rejected requests" },
  headers_too_large: { status: 431, title: "The header block is too large" },
  unavailable: {
    status: 503,
    title: "The service cannot process this request now",
  },
} as const satisfies Record<string, { status: number; title: string }>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Exit codes of the command line. */
export const EXIT = {
  good: 0,
  checkFailed: 1,
  /** `audit verify` alone: the evidence does not suffice for a verdict. */
  cannotTell: 2,
  usage: 64,
  internal: 70,
  config: 78,
} as const;

/** What a command ends with when it does not throw. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What an answer says beside its code. */
export interface ProblemExtras {
  /** Further headers, such as `allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What to do about it, for an operator who has shown who they are; never for a sender. */
  readonly detail?: string;
}

/** A request that gets the answer of `code`; `reason` goes to the audit trail only, never to the sender. */
export class AppError extends Error {
  override readonly name = "AppError";
  readonly code: ProblemCode;
  readonly reason: string;
  readonly extras: ProblemExtras;

  constructor(
    code: ProblemCode,
    reason: string = code,
    extras: ProblemExtras = {},
  ) {
    super(`${code}: ${reason}`);
    this.code = code;
    this.reason = reason;
    this.extras = extras;
  }
}

/** The refusal of a method where only `allow` is allowed. */
export function methodNotAllowed(allow: string): AppError {
  const code = "method_not_allowed";
  return new AppError(code, code, { headers: { allow } });
}

/** Wrong configuration: one line for each fault, naming the variable and never its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly errors: readonly string[];

  constructor(errors: readonly string[]) {
    super(errors.join("\n"));
    this.errors = errors;
  }
}

/** A command called with words that do not fit; the message says what to type. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * The store could not do what was asked. `fatal` means that what it says from now on cannot be believed
 * (a failed fsync, a corrupt file): stop acknowledging and restart.
 */
export class StoreError extends Error {
  override readonly name = "StoreError";
  readonly code: string;
  readonly fatal: boolean;

  constructor(message: string, options: { code: string; fatal: boolean }) {
    super(message);
    this.code = options.code;
    this.fatal = options.fatal;
  }
}

/** Whatever was thrown, as an Error; `instanceof` alone misses errors of another realm. */
export function asError(thrown: unknown): Error {
  if (thrown instanceof Error) {
    return thrown;
  }
  if (
    typeof thrown === "object" &&
    thrown !== null &&
    "message" in thrown &&
    typeof thrown.message === "string"
  ) {
    return thrown as Error;
  }
  return new Error(typeof thrown === "string" ? thrown : "unknown error");
}

/** The `code` of a system or driver error (`ECONNREFUSED`, `SQLITE_FULL`), else undefined. */
export function errorCode(thrown: unknown): string | undefined {
  return typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}

/** What went wrong on the network, never empty: the code (`ECONNREFUSED`), which fetch hides in the cause; else what it says. */
export function networkFault(thrown: unknown): string {
  const { message, cause } = asError(thrown);
  const said = cause === undefined ? message : asError(cause).message;
  return errorCode(cause) || errorCode(thrown) || said || "unknown fault";
}

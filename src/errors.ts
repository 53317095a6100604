/** Every error code of a response (RFC 9457 problem details). A test compares docs/errors.md with this. */
export const PROBLEMS = {
  bad_request: { status: 400, title: "The request is malformed" },
  malformed_payload: {
    status: 400,
    title: "The body is not a message of this source",
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
    title:
      "The source does not accept this media type, charset or content encoding",
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
  /** Only for `audit verify`: the evidence is not sufficient for a verdict. */
  undecidable: 2,
  usage: 64,
  internal: 70,
  config: 78,
} as const;

/** The exit code of a command that does not throw. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** Parts of a response besides its code. */
export interface ProblemExtras {
  /** Additional headers, such as `allow`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** What to do, for an authenticated operator. Never sent to a sender. */
  readonly detail?: string;
}

/** A request that is rejected with `code`. `reason` is only in the audit trail, never in the response. */
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

/** Returns the error for a method that the route does not have. `allow` lists the methods that it has. */
export function methodNotAllowed(allow: string): AppError {
  const code = "method_not_allowed";
  return new AppError(code, code, { headers: { allow } });
}

/** A wrong configuration: one line for each error, with the variable or place but never its value. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly errors: readonly string[];

  constructor(errors: readonly string[]) {
    super(errors.join("\n"));
    this.errors = errors;
  }
}

/** Wrong usage of a command. The message says what to type. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * An operation of the store failed. `fatal` means that the store cannot be trusted any more, for example after a failed fsync
 * or with a corrupt file: the process must acknowledge nothing more, and restart.
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

/** Converts a thrown value to an Error. Also recognises errors of other realms, which `instanceof` does not. */
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

/** Returns the `code` of a system or driver error (`ECONNREFUSED`, `SQLITE_FULL`), or undefined. */
export function errorCode(thrown: unknown): string | undefined {
  return typeof thrown === "object" &&
    thrown !== null &&
    "code" in thrown &&
    typeof thrown.code === "string"
    ? thrown.code
    : undefined;
}

/** Returns the code of a network error (`ECONNREFUSED`, which fetch puts in the cause), or else its message. Never empty. */
export function networkFault(thrown: unknown): string {
  const { message, cause } = asError(thrown);
  const text = cause === undefined ? message : asError(cause).message;
  return errorCode(cause) || errorCode(thrown) || text || "unknown fault";
}

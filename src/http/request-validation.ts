import type { IncomingMessage } from "node:http";
import type { Request, RequestHandler } from "express";
import { AppError } from "../errors.ts";
import { openContext } from "./request-context.ts";

/** Maximum number of header lines; a request with more gets 431. */
export const MAX_HEADERS = 100;

/** Headers that the service itself reads. A duplicate would be ambiguous, so it is rejected. */
const SINGLE_HEADERS = [
  "host",
  "content-type",
  "content-length",
  "content-encoding",
  "transfer-encoding",
  "expect",
];

/** Each name has one bit of a 32-bit integer. */
const MAX_SINGLE_HEADERS = 32;

export interface RequestValidationOptions {
  readonly clientAddress: (req: Request) => string;
  readonly nextRequestId: () => string;
  /** Lower-case names of further headers that must not be repeated. */
  readonly singleHeaders: readonly string[];
  readonly isDraining: () => boolean;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

/** Creates the first handler of each app. It opens the request context, and rejects anything but well-framed HTTP/1. */
export function createRequestValidation(
  options: RequestValidationOptions,
): RequestHandler {
  const { clientAddress, nextRequestId, isDraining, monotonic } = options;
  const names = new Set([...SINGLE_HEADERS, ...options.singleHeaders]);
  if (names.size > MAX_SINGLE_HEADERS) {
    throw new RangeError("more single headers than bits in a number");
  }
  const singles = new Map([...names].map((name, n) => [name, 1 << n]));

  return (req, res, next) => {
    openContext(res, {
      requestId: nextRequestId(),
      ip: clientAddress(req),
      resource: pathOf(req.url),
      req,
      res,
      startedAt: monotonic(),
      abortBody: null,
      source: null,
      wantsEmptyResponse: false,
      operator: false,
    });
    if (isDraining()) {
      res.shouldKeepAlive = false;
    }
    requireHeaderCount(req);
    requireSingleHeaders(req, singles);
    requirePlainFraming(req);
    next();
  };
}

function pathOf(url: string): string {
  const query = url.indexOf("?");
  return query === -1 ? url : url.slice(0, query);
}

function requireHeaderCount(req: IncomingMessage): void {
  if (req.rawHeaders.length > MAX_HEADERS * 2) {
    throw new AppError("headers_too_large");
  }
}

/**
 * Rejects duplicate headers. Reads the raw headers, because Node joins or drops duplicates depending on their name.
 * `singles` maps each name to its bit.
 */
function requireSingleHeaders(
  req: IncomingMessage,
  singles: ReadonlyMap<string, number>,
): void {
  const { rawHeaders } = req;
  let seen = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]?.toLowerCase() ?? "";
    const bit = singles.get(name) ?? 0;
    if ((seen & bit) !== 0) {
      throw new AppError("bad_request", `repeated_header_${name}`);
    }
    seen |= bit;
  }
}

function requirePlainFraming(req: IncomingMessage): void {
  const { httpVersion, headers } = req;
  if (httpVersion !== "1.1" && httpVersion !== "1.0") {
    throw new AppError("bad_request", "http_version");
  }
  if (httpVersion === "1.1" && headers.host === undefined) {
    throw new AppError("bad_request", "missing_host");
  }
  if (!req.url?.startsWith("/")) {
    throw new AppError("bad_request", "request_target");
  }
  const coding = headers["transfer-encoding"];
  if (
    coding !== undefined &&
    (httpVersion === "1.0" || coding.toLowerCase() !== "chunked")
  ) {
    throw new AppError("bad_request", "transfer_encoding");
  }
  if (
    headers.expect !== undefined &&
    headers.expect.toLowerCase() !== "100-continue"
  ) {
    throw new AppError("bad_request", "expectation");
  }
}

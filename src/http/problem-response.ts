import type { ServerResponse } from "node:http";
import { PROBLEMS, type ProblemCode, type ProblemExtras } from "../errors.ts";
import { lingeringClose } from "./connection/lingering-close.ts";
import type { RequestContext } from "./request-context.ts";
import { flatHeaders, responseHeaders, writeHead } from "./response-head.ts";

/** The `Retry-After` of the codes that have one, in seconds. */
const RETRY_AFTER: Partial<Record<ProblemCode, string>> = {
  too_many_requests: "10",
  unavailable: "5",
};

interface PreparedResponse {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

const PREPARED = Object.fromEntries(
  Object.entries(PROBLEMS).map(([code, problem]) => [
    code,
    prepare(code as ProblemCode, problem),
  ]),
) as Readonly<Record<ProblemCode, PreparedResponse>>;

function prepare(
  code: ProblemCode,
  { status, title }: { status: number; title: string },
  detail?: string,
): PreparedResponse {
  const body = JSON.stringify({ title, status, code, detail });
  return {
    status,
    body,
    headers: responseHeaders({
      "content-type": "application/problem+json",
      "content-length": String(Buffer.byteLength(body)),
      ...retryAfterOf(code),
    }),
  };
}

function retryAfterOf(code: ProblemCode): Readonly<Record<string, string>> {
  const retryAfter = RETRY_AFTER[code];
  return retryAfter === undefined ? {} : { "retry-after": retryAfter };
}

/**
 * Responds with the problem details of `code` (RFC 9457), or with its status alone if the sender accepts no body. Closes the connection after `payload_too_large`, and if too much
 * of the body is unread. Does nothing if a response was already started.
 *
 * Writes no audit entry and charges no rate limiter. Rejections are sent through reject.ts, which does both. Failures of the
 * service are sent directly, because they have their own audit entries.
 */
export function respondProblem(
  {
    req,
    res,
    wantsEmptyResponse,
  }: Pick<RequestContext, "req" | "res" | "wantsEmptyResponse">,
  code: ProblemCode,
  extras: ProblemExtras = {},
): void {
  if (res.headersSent || res.destroyed) {
    return;
  }
  const ending = lingeringClose(req, res, {
    close: code === "payload_too_large",
  });
  if (wantsEmptyResponse) {
    writeEmptyProblem(res, code);
  } else {
    writeProblem(res, code, extras);
  }
  ending.finish();
}

function writeProblem(
  res: ServerResponse,
  code: ProblemCode,
  { headers: further = {}, detail }: ProblemExtras,
): void {
  const { status, headers, body } =
    detail === undefined
      ? PREPARED[code]
      : prepare(code, PROBLEMS[code], detail);
  writeHead(res, status, [...headers, ...flatHeaders(further)]);
  res.write(body);
}

function writeEmptyProblem(res: ServerResponse, code: ProblemCode): void {
  const headers = responseHeaders({
    "content-length": "0",
    ...retryAfterOf(code),
  });
  writeHead(res, PROBLEMS[code].status, headers);
}

/** Returns the response of `code` as text, with `Connection: close`. For connections without a response object. */
export function rawProblem(code: ProblemCode): string {
  const { status, headers, body } = PREPARED[code];
  const lines = [`HTTP/1.1 ${status} ${PROBLEMS[code].title}`];
  for (let i = 0; i < headers.length; i += 2) {
    lines.push(`${headers[i] ?? ""}: ${headers[i + 1] ?? ""}`);
  }
  lines.push("connection: close", `date: ${new Date().toUTCString()}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

import type { ServerResponse } from "node:http";
import { PROBLEMS, type ProblemCode, type ProblemExtras } from "../errors.ts";
import { connectionOf } from "./connection/connection.ts";
import { securityHeaders } from "./security-headers.ts";

const COMMON = { ...securityHeaders(), "cache-control": "no-store" };
const JSON_HEADERS = flat({ ...COMMON, "content-type": "application/json" });
const EVENT_STREAM_HEADERS = flat({
  ...COMMON,
  "content-type": "text/event-stream",
  // For nginx, which would keep events back until it has a block of them.
  "x-accel-buffering": "no",
});

/** Seconds after which the sender may well succeed. */
const RETRY_AFTER: Partial<Record<ProblemCode, string>> = {
  too_many_requests: "10",
  unavailable: "5",
};

interface PreparedResponse {
  readonly status: number;
  readonly headers: string[];
  readonly body: string;
}

const PROBLEM_RESPONSES = Object.fromEntries(
  Object.entries(PROBLEMS).map(([code, problem]) => [
    code,
    problemResponse(code as ProblemCode, problem),
  ]),
) as Readonly<Record<ProblemCode, PreparedResponse>>;

function problemResponse(
  code: ProblemCode,
  { status, title }: { status: number; title: string },
  detail?: string,
): PreparedResponse {
  const body = JSON.stringify({ title, status, code, detail });
  const retryAfter = RETRY_AFTER[code];
  return {
    status,
    body,
    headers: flat({
      ...COMMON,
      "content-type": "application/problem+json",
      "content-length": String(Buffer.byteLength(body)),
      ...(retryAfter === undefined ? {} : { "retry-after": retryAfter }),
    }),
  };
}

function flat(headers: Readonly<Record<string, string>>): string[] {
  return Object.entries(headers).flat();
}

/** Answers with a JSON value. */
export function respondJson(
  res: ServerResponse,
  status: number,
  value: unknown,
): void {
  respondJsonText(res, status, JSON.stringify(value));
}

/** The same with a value that is JSON text already. */
export function respondJsonText(
  res: ServerResponse,
  status: number,
  json: string,
): void {
  res.end(jsonBody(res, status, json));
}

/** Begins an answer of server-sent events (https://html.spec.whatwg.org/#server-sent-events), which has no end of its own. */
export function beginEventStream(res: ServerResponse): void {
  writeHead(res, 200, EVENT_STREAM_HEADERS);
  res.flushHeaders();
}

/** The same without ending the response: the caller ends it, see lingering-close.ts. */
export function writeJson(
  res: ServerResponse,
  status: number,
  value: unknown,
): void {
  res.write(jsonBody(res, status, JSON.stringify(value)));
}

/** Writes the head, and lets the connection know what follows from it. */
function writeHead(
  res: ServerResponse,
  status: number,
  headers: string[],
): void {
  res.writeHead(status, headers);
  connectionOf(res.req.socket).onResponseStart({
    isRejection: status >= 400 && status < 500,
    isLast: !res.shouldKeepAlive,
  });
}

/** Writes the head, and gives the body. */
function jsonBody(res: ServerResponse, status: number, json: string): Buffer {
  const body = Buffer.from(json);
  writeHead(res, status, [
    ...JSON_HEADERS,
    "content-length",
    String(body.length),
  ]);
  return body;
}

/** Writes the problem details of `code` (RFC 9457) without ending the response: the caller ends it, see lingering-close.ts. */
export function writeProblem(
  res: ServerResponse,
  code: ProblemCode,
  { headers: further = {}, detail }: ProblemExtras = {},
): void {
  const { status, headers, body } =
    detail === undefined
      ? PROBLEM_RESPONSES[code]
      : problemResponse(code, PROBLEMS[code], detail);
  writeHead(res, status, [...headers, ...flat(further)]);
  res.write(body);
}

/** The same answer as bytes, for a connection on which no response object exists. It says that it closes. */
export function rawProblem(code: ProblemCode): string {
  const { status, headers, body } = PROBLEM_RESPONSES[code];
  const lines = [`HTTP/1.1 ${status} ${PROBLEMS[code].title}`];
  for (let i = 0; i < headers.length; i += 2) {
    lines.push(`${headers[i] ?? ""}: ${headers[i + 1] ?? ""}`);
  }
  lines.push("connection: close", `date: ${new Date().toUTCString()}`);
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

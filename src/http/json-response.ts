import type { ServerResponse } from "node:http";
import { responseHeaders, writeHead } from "./response-head.ts";

const JSON_HEADERS = responseHeaders({ "content-type": "application/json" });

/** Responds with a JSON value. */
export function respondJson(
  res: ServerResponse,
  status: number,
  value: unknown,
): void {
  respondJsonText(res, status, JSON.stringify(value));
}

/** Responds with JSON text. */
export function respondJsonText(
  res: ServerResponse,
  status: number,
  json: string,
): void {
  res.end(beginJson(res, status, json));
}

/** Writes a JSON value and leaves the response open. The caller ends it, as lingering-close.ts describes. */
export function writeJson(
  res: ServerResponse,
  status: number,
  value: unknown,
): void {
  res.write(beginJson(res, status, JSON.stringify(value)));
}

/** Writes the response head and returns the body to send. */
function beginJson(res: ServerResponse, status: number, json: string): Buffer {
  const body = Buffer.from(json);
  writeHead(res, status, [
    ...JSON_HEADERS,
    "content-length",
    String(body.length),
  ]);
  return body;
}

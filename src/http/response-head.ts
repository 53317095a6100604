import type { ServerResponse } from "node:http";
import { connectionOf } from "./connection/connection.ts";
import { securityHeaders } from "./security-headers.ts";

const COMMON = { ...securityHeaders(), "cache-control": "no-store" };

/** Returns the common headers and `further`, as a flat list of names and values. Call it once, not for each response. */
export function responseHeaders(
  further: Readonly<Record<string, string>>,
): string[] {
  return flatHeaders({ ...COMMON, ...further });
}

export function flatHeaders(
  headers: Readonly<Record<string, string>>,
): string[] {
  return Object.entries(headers).flat();
}

/** Writes the head of a response, and reports to the connection whether it is a rejection, and whether it is the last one. */
export function writeHead(
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

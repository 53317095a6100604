import type { ServerResponse } from "node:http";
import { connectionOf } from "./connection/connection.ts";
import { securityHeaders } from "./security-headers.ts";

const COMMON = { ...securityHeaders(), "cache-control": "no-store" };

/** The headers of every response and some more, as a flat list of names and values. For use at construction. */
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

/** Writes the head of a response, and tells its connection what follows from it. */
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

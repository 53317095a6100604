import type { ServerResponse } from "node:http";
import { responseHeaders, writeHead } from "./response-head.ts";

/** A browser saves the bytes and never interprets them, whatever a sender has put into them. */
const ATTACHMENT_HEADERS = responseHeaders({
  "content-type": "application/octet-stream",
  "content-disposition": "attachment",
});

/** Responds with exact bytes from outside. */
export function respondAttachment(res: ServerResponse, bytes: Buffer): void {
  writeHead(res, 200, [
    ...ATTACHMENT_HEADERS,
    "content-length",
    String(bytes.length),
  ]);
  res.end(bytes);
}

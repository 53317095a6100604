import type { ServerResponse } from "node:http";
import type { HandshakeResponse } from "../../signature/handshakes.ts";
import { responseHeaders, writeHead } from "../response-head.ts";

/** Responds with the status 200 and no body. */
export function respondEmpty(res: ServerResponse): void {
  respondHandshake(res, { status: 200, contentType: null, body: "" });
}

/** Responds to a handshake of a provider. */
export function respondHandshake(
  res: ServerResponse,
  { status, contentType, body }: HandshakeResponse,
): void {
  writeHead(
    res,
    status,
    responseHeaders({
      ...(contentType === null ? {} : { "content-type": contentType }),
      ...(status === 204
        ? {}
        : { "content-length": String(Buffer.byteLength(body)) }),
    }),
  );
  res.end(body);
}

import type { IncomingMessage, ServerResponse } from "node:http";
import { connectionOf } from "./connection.ts";

/** Maximum size of an unread body that is read and discarded, so that the connection can stay open. */
const MAX_SKIPPED_BYTES = 65_536;

/** How long a closing connection is still read, and how many bytes, so that a reset does not discard the response. */
const LINGER_MS = 1000;
const MAX_DRAINED_BYTES = 4_194_304;

/**
 * Ends a response that is sent before the body of its request was read. Call this before the head is written, and `finish()`
 * after the body of the response.
 *
 * A short unread body is discarded and the connection stays open. Otherwise the connection closes, after a delay. Closing a
 * connection with unread bytes resets it, and the client could lose the response.
 */
export function lingeringClose(
  req: IncomingMessage,
  res: ServerResponse,
  options: { close: boolean },
): { finish(): void } {
  const declared = Number(req.headers["content-length"] ?? Number.NaN);
  const short =
    req.complete ||
    declared <= MAX_SKIPPED_BYTES ||
    (Number.isNaN(declared) && req.headers["transfer-encoding"] === undefined);
  // On a failed connection nothing more is read.
  const { failed } = connectionOf(req.socket);
  if (short && !options.close && !failed) {
    return {
      finish: () => {
        res.end();
      },
    };
  }
  res.shouldKeepAlive = false;
  return {
    finish: () => {
      if (req.complete || failed) {
        res.end();
        return;
      }
      let drained = 0;
      const end = (): void => {
        clearTimeout(timer);
        req.removeListener("data", count);
        res.end();
      };
      const count = (chunk: Buffer): void => {
        drained += chunk.length;
        if (drained > MAX_DRAINED_BYTES) {
          // The connection stays open until the timer ends, so that the sender can read the response.
          req.pause();
        }
      };
      const timer = setTimeout(end, LINGER_MS);
      req.once("end", end);
      req.once("close", end);
      req.on("data", count);
      req.resume();
    },
  };
}

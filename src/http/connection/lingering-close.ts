import type { IncomingMessage, ServerResponse } from "node:http";
import { connectionOf } from "./connection.ts";

/** A rest of the body up to this size is read and dropped, so that the connection can go on. */
const MAX_SKIPPED_BYTES = 65_536;

/** How long a closing connection is read on, and how much of it, so that the answer is not lost to a reset. */
const LINGER_MS = 1000;
const MAX_DRAINED_BYTES = 4_194_304;

/**
 * For an answer that is given before the body was read. Call before the head is written; `finish()` after the
 * body of the answer. A short rest is skipped and the connection kept; otherwise it closes, but only once the
 * sender has had time to read the answer: closing on unread bytes resets the connection and takes the answer along.
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
  // What comes is not read any more.
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
          // Not closed yet: a sender that is held up has time to read.
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

import type { IncomingMessage } from "node:http";
import { AppError } from "../errors.ts";
import type { Holding } from "./connection/memory-pool.ts";
import { BodyBuffer } from "./body-buffer.ts";
import type { RequestContext } from "./request-context.ts";

/** The declared length of a body in bytes; null where it is sent in chunks. */
export function declaredLength(req: IncomingMessage): number | null {
  if (req.headers["transfer-encoding"] !== undefined) {
    return null;
  }
  // The HTTP parser has let digits alone through.
  return Number(req.headers["content-length"] ?? 0);
}

/**
 * Reads a body whole, as bytes, as far as `holding` has room for them. Rejects with AppError `payload_too_large` at the chunk
 * that crosses `limit`, `bad_request` when the sender disconnected, the error given to `abortBody`, and what `holding` throws; nothing more is
 * read then.
 */
export function readBody(
  context: Pick<RequestContext, "req" | "abortBody">,
  limit: number,
  holding: Holding,
): Promise<Buffer> {
  const { req } = context;
  const body = new BodyBuffer(
    { limit, declared: declaredLength(req) },
    holding,
  );
  return new Promise((resolve, reject) => {
    function settle(): void {
      context.abortBody = null;
      holding.onEvict = null;
      req.removeListener("data", onData);
      req.removeListener("end", onEnd);
      req.removeListener("error", onGone);
      req.removeListener("close", onGone);
    }
    function fail(error: unknown): void {
      settle();
      req.pause();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- it is what was thrown
      reject(error);
    }
    function onData(chunk: Buffer): void {
      try {
        body.add(chunk);
      } catch (error) {
        fail(error);
      }
    }
    function onEnd(): void {
      settle();
      resolve(body.bytes());
    }
    function onGone(): void {
      fail(new AppError("bad_request", "request_aborted"));
    }
    context.abortBody = fail;
    holding.onEvict = fail;
    req.on("data", onData);
    req.on("end", onEnd);
    req.on("error", onGone);
    req.on("close", onGone);
  });
}

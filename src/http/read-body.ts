import type { IncomingMessage } from "node:http";
import { AppError } from "../errors.ts";
import type { Holding } from "./connection/memory-pool.ts";
import { BodyBuffer } from "./body-buffer.ts";
import type { RequestContext } from "./request-context.ts";

/** Returns the declared length of a body in bytes, or null for a chunked body. */
export function declaredLength(req: IncomingMessage): number | null {
  if (req.headers["transfer-encoding"] !== undefined) {
    return null;
  }
  // The HTTP parser has rejected everything except digits.
  return Number(req.headers["content-length"] ?? 0);
}

/**
 * Reads a whole body into memory that `holding` counts. After an error it reads nothing more. Rejects with
 *
 * - AppError `payload_too_large` at the chunk that exceeds `limit`,
 * - AppError `bad_request` if the sender disconnects,
 * - the error passed to `context.abortBody`, and any error of `holding`.
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
      req.removeListener("error", onDisconnect);
      req.removeListener("close", onDisconnect);
    }
    function fail(error: unknown): void {
      settle();
      req.pause();
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- passes on the caught value
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
    function onDisconnect(): void {
      fail(new AppError("bad_request", "request_aborted"));
    }
    context.abortBody = fail;
    holding.onEvict = fail;
    req.on("data", onData);
    req.on("end", onEnd);
    req.on("error", onDisconnect);
    req.on("close", onDisconnect);
  });
}

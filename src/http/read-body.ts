import type { IncomingMessage } from "node:http";
import getRawBody from "raw-body";
import { AppError, asError } from "../errors.ts";
import type { Holding } from "./admission.ts";

/** The declared length of a body in bytes; null where it is sent in chunks. */
export function declaredLength(req: IncomingMessage): number | null {
  if (req.headers["transfer-encoding"] !== undefined) {
    return null;
  }
  // The HTTP parser has let digits alone through.
  return Number(req.headers["content-length"] ?? 0);
}

/**
 * Reads a body whole, as bytes, each of them counted by `holding`. Throws AppError `payload_too_large` at the chunk that
 * crosses `limit`, `bad_request` when the sender went away, and what `holding` throws.
 */
export async function readBody(
  req: IncomingMessage,
  limit: number,
  holding: Pick<Holding, "add">,
): Promise<Buffer> {
  const count = (chunk: Buffer): void => {
    try {
      holding.add(chunk.length);
    } catch (error) {
      // raw-body takes it for its own, and stops reading.
      req.emit("error", error);
    }
  };
  req.on("data", count);
  try {
    return await getRawBody(req, { limit, length: declaredLength(req) });
  } catch (thrown) {
    throw asBodyError(thrown);
  } finally {
    req.removeListener("data", count);
  }
}

function asBodyError(thrown: unknown): Error {
  const error = asError(thrown) as Error & { type?: string };
  if (error.type === "entity.too.large") {
    return new AppError("payload_too_large");
  }
  return error.type === "request.aborted" ||
    error.type === "request.size.invalid"
    ? new AppError("bad_request", "request_aborted")
    : error;
}

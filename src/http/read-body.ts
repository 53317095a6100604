import { type IncomingMessage } from "node:http";
import getRawBody from "raw-body";
import { AppError, asError } from "../errors.ts";

/** The declared length of a body in bytes; null where it is sent in chunks. */
export function declaredLength(req: IncomingMessage): number | null {
  if (req.headers["transfer-encoding"] !== undefined) {
    return null;
  }
  // The HTTP parser has let digits alone through.
  return Number(req.headers["content-length"] ?? 0);
}

/**
 * Reads a body whole, as bytes. Throws AppError `payload_too_large` before the first byte when the declared length
 * is over `limit`, else at the chunk that crosses it; `bad_request` when the sender went away.
 */
export async function readBody(
  req: IncomingMessage,
  limit: number,
): Promise<Buffer> {
  try {
    return await getRawBody(req, { limit, length: declaredLength(req) });
  } catch (thrown) {
    const error = asError(thrown) as Error & { type?: string };
    if (error.type === "entity.too.large") {
      throw new AppError("payload_too_large");
    }
    if (
      error.type === "request.aborted" ||
      error.type === "request.size.invalid"
    ) {
      throw new AppError("bad_request", "request_aborted");
    }
    throw error;
  }
}

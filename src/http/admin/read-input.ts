import type { Response } from "express";
import type { z } from "zod";
import { AppError } from "../../errors.ts";
import {
  isIdentityEncoding,
  isJsonMediaType,
} from "../../domain/media-type.ts";
import type { Holding } from "../connection/memory-pool.ts";
import { contextOf } from "../request-context.ts";
import { declaredLength, readBody } from "../read-body.ts";

/** Maximum size of a request body of the management API, in bytes. */
const MAX_BYTES = 262_144;

/**
 * Reads the body of a request of the management API and checks it against `schema`. An empty body counts as `{}`. Throws
 * AppError with a detail that says what is wrong.
 */
export async function readInput<T>(
  res: Response,
  schema: z.ZodType<T>,
): Promise<T> {
  const context = contextOf(res);
  const { req } = context;
  const { headers } = req;
  const declared = declaredLength(req);
  if (declared !== null && declared > MAX_BYTES) {
    throw new AppError("payload_too_large");
  }
  if (declared !== 0 && !isJsonMediaType(headers["content-type"])) {
    throw new AppError("unsupported_media_type");
  }
  if (!isIdentityEncoding(headers["content-encoding"])) {
    throw new AppError("unsupported_media_type");
  }
  const body = await readBody(context, MAX_BYTES, unbounded());
  return checkInput(parse(body), schema);
}

/** Checks a value against `schema`. Throws AppError `bad_request` with a detail that names the member and the error. */
export function checkInput<T>(value: unknown, schema: z.ZodType<T>): T {
  const result = schema.safeParse(value);
  if (result.success) {
    return result.data;
  }
  const detail = result.error.issues
    .map(({ path, message }) => [...path.map(String), message].join(": "))
    .join("; ");
  throw badInput(detail);
}

export function badInput(detail: string): AppError {
  return new AppError("bad_request", "bad_input", { detail });
}

/** Returns a holding without a limit. Operators are authenticated, so only the size of each body is limited. */
function unbounded(): Holding {
  return { resize: () => undefined, onEvict: null };
}

function parse(body: Buffer): unknown {
  if (body.length === 0) {
    return {};
  }
  try {
    return JSON.parse(body.toString("utf8"));
  } catch {
    throw badInput("the body must be a JSON object");
  }
}

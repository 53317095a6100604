import { hash as digest, timingSafeEqual } from "node:crypto";
import type { RequestHandler } from "express";
import { AppError } from "../../errors.ts";
import { contextOf } from "../request-context.ts";

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * Creates the handler that requires the bearer token. Without a configured token every request gets 404. The tokens are hashed
 * and compared in constant time, so that response times reveal neither the bytes nor the length of the token.
 */
export function requireBearer(
  currentToken: () => string | null,
): RequestHandler {
  return (req, res, next) => {
    const token = currentToken();
    if (token === null) {
      throw new AppError("not_found");
    }
    const offered = BEARER.exec(req.headers.authorization ?? "")?.[1];
    const matches = timingSafeEqual(
      digest("sha256", offered ?? "", "buffer"),
      digest("sha256", token, "buffer"),
    );
    if (offered === undefined || !matches) {
      const reason = offered === undefined ? "missing_token" : "bad_token";
      throw new AppError("unauthorized", reason, {
        headers: { "www-authenticate": 'Bearer realm="hexhook"' },
      });
    }
    contextOf(res).operator = true;
    next();
  };
}

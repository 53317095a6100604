import { hash as digest, timingSafeEqual } from "node:crypto";
import type { RequestHandler } from "express";
import { AppError } from "../../errors.ts";
import { contextOf } from "../request-context.ts";

const BEARER = /^Bearer +([\x21-\x7e]+)$/i;

/**
 * Lets requests with the token through. Compared by digest and in constant time, so that neither its bytes nor its
 * length can be found out by trying. With no token set there is nothing to be let through to: 404.
 */
export function requireBearer(tokenNow: () => string | null): RequestHandler {
  return (req, res, next) => {
    const token = tokenNow();
    if (token === null) {
      throw new AppError("not_found");
    }
    const offered = BEARER.exec(req.headers.authorization ?? "")?.[1];
    const good = timingSafeEqual(
      digest("sha256", offered ?? "", "buffer"),
      digest("sha256", token, "buffer"),
    );
    if (offered === undefined || !good) {
      const reason = offered === undefined ? "missing_token" : "bad_token";
      throw new AppError("unauthorized", reason, {
        headers: { "www-authenticate": 'Bearer realm="hexhook"' },
      });
    }
    contextOf(res).operator = true;
    next();
  };
}

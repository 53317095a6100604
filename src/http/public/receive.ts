import type { Source } from "../../domain/source.ts";
import type { IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import { AppError, methodNotAllowed } from "../../errors.ts";
import type { createIntake } from "../../intake/intake.ts";
import { isIdentityEncoding, isJsonMediaType } from "../media-type.ts";
import { declaredLength, readBody } from "../read-body.ts";
import type { Reject } from "../reject.ts";
import { contextOf, type RequestContext } from "../request-context.ts";
import { respondJson } from "../json-response.ts";
import type { Admission } from "./admission.ts";

/** Matched against the path as sent, without decoding, so that each source has exactly one path. */
const ENDPOINT = /^\/webhooks\/([a-z0-9][a-z0-9-]{0,63})$/;

export interface ReceiveDeps {
  readonly source: (name: string) => Source | undefined;
  readonly intake: ReturnType<typeof createIntake>;
  readonly admission: Admission;
  readonly reject: Reject;
  readonly isDraining: () => boolean;
  readonly isClosed: () => boolean;
  readonly storedHeaders: (req: IncomingMessage) => string;
}

/**
 * Creates the handler of `POST /webhooks/:source`. It checks the head, reads the body, then calls the intake.
 *
 * Mount it with `app.use`. As a route, Express would match and decode the path again, and walk a stack for one handler.
 */
export function createReceive(
  deps: ReceiveDeps,
  options: { maxBodyBytes: number },
): RequestHandler {
  const { maxBodyBytes } = options;

  async function readAndIntake(
    context: RequestContext,
    source: Source,
  ): ReturnType<ReceiveDeps["intake"]> {
    const { req, res, requestId, ip, resource } = context;
    const declared = declaredLength(req);
    if (declared !== null && declared > maxBodyBytes) {
      throw new AppError("payload_too_large");
    }
    const holding = deps.admission.hold(ip);
    try {
      if (req.headers.expect !== undefined && req.httpVersion === "1.1") {
        res.writeContinue();
      }
      const body = await readBody(context, maxBodyBytes, holding);
      return await deps.admission.work(body.length, () =>
        deps.intake({
          source,
          requestId,
          ip,
          resource,
          method: "POST",
          url: req.url ?? "",
          headers: req.headers,
          body,
          storedHeaders: () => deps.storedHeaders(req),
        }),
      );
    } finally {
      holding.resize(0);
    }
  }

  async function receive(context: RequestContext, name: string): Promise<void> {
    const { req, res } = context;
    const source = deps.source(name);
    if (source === undefined) {
      throw new AppError("not_found", "unknown_source");
    }
    context.source = source.name;
    if (req.method !== "POST") {
      throw methodNotAllowed("POST");
    }
    const { headers } = req;
    if (
      !isJsonMediaType(headers["content-type"]) ||
      !isIdentityEncoding(headers["content-encoding"])
    ) {
      throw new AppError("unsupported_media_type");
    }
    if (deps.isClosed()) {
      throw new AppError("unavailable", "draining");
    }
    const result = await readAndIntake(context, source);
    if (deps.isDraining()) {
      // Draining may have begun while this request was in progress.
      res.shouldKeepAlive = false;
    }
    if (result.status === "rejected") {
      await deps.reject(context, result);
    } else {
      const { status, eventId: id } = result;
      respondJson(res, 200, { received: true, status, id });
    }
  }

  return (_req, res, next) => {
    const context = contextOf(res);
    const name = ENDPOINT.exec(context.resource)?.[1];
    if (name === undefined) {
      next();
      return;
    }
    return receive(context, name);
  };
}

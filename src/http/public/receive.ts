import type { Source } from "../../domain/source.ts";
import type { RequestHandler } from "express";
import { AppError, methodNotAllowed } from "../../errors.ts";
import { isIdentityEncoding } from "../../domain/media-type.ts";
import type { Intake } from "../../intake/intake.ts";
import { declaredLength, readBody } from "../read-body.ts";
import type { Reject } from "../reject.ts";
import type { ReportResponse } from "../report-response.ts";
import { contextOf, type RequestContext } from "../request-context.ts";
import { respondJson } from "../json-response.ts";
import type { Admission } from "./admission.ts";
import { type Endpoint, endpointOf } from "./endpoint.ts";
import { respondEmpty, respondHandshake } from "./respond-handshake.ts";

/** Matched against the path as sent, without decoding, so that each source has exactly one path. */
const ENDPOINT = /^\/webhooks\/([a-z0-9][a-z0-9-]{0,63})$/;

export interface ReceiveDeps {
  readonly source: (name: string) => Source | undefined;
  readonly intake: Intake;
  readonly admission: Admission;
  readonly reject: Reject;
  readonly report: ReportResponse;
  readonly isDraining: () => boolean;
  readonly isClosed: () => boolean;
}

/**
 * Creates the handler of `/webhooks/:source`. It checks the head, reads the body, then calls the intake.
 *
 * Mount it with `app.use`. As a route, Express would match and decode the path again, and walk a stack for one handler.
 */
export function createReceive(deps: ReceiveDeps): RequestHandler {
  async function readAndIntake(
    context: RequestContext,
    { source, storedHeaders }: Endpoint,
  ): ReturnType<Intake> {
    const { req, res, requestId, ip, resource } = context;
    const { maxBodyBytes } = source;
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
          method: req.method ?? "",
          url: req.url ?? "",
          headers: req.headers,
          body,
          storedHeaders: (traceparent) => storedHeaders(req, traceparent),
        }),
      );
    } finally {
      holding.resize(0);
    }
  }

  async function receive(context: RequestContext, name: string): Promise<void> {
    const { res } = context;
    const source = deps.source(name);
    if (source === undefined) {
      throw new AppError("not_found", "unknown_source");
    }
    context.source = source.name;
    context.wantsEmptyResponse = source.scheme.wantsEmptyResponses ?? false;
    const endpoint = endpointOf(source);
    requireAcceptedHead(context, endpoint);
    if (deps.isClosed()) {
      throw new AppError("unavailable", "draining");
    }
    const result = await readAndIntake(context, endpoint);
    if (deps.isDraining()) {
      // Draining may have begun while this request was in progress.
      res.shouldKeepAlive = false;
    }
    if (result.status === "rejected") {
      await deps.reject(context, result);
    } else if (result.status === "handshake") {
      respondHandshake(res, result.response);
      deps.report(context, "handshake", result.verified);
    } else {
      const { status, eventId: id } = result;
      if (context.wantsEmptyResponse) {
        respondEmpty(res);
      } else {
        respondJson(res, 200, { received: true, status, id });
      }
      deps.report(context, result.outcome, result.verified);
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

/** Throws AppError if the source does not accept the request. The order of the checks is part of docs/errors.md. */
function requireAcceptedHead(
  { req, ip }: RequestContext,
  endpoint: Endpoint,
): void {
  const { headers, method = "" } = req;
  if (endpoint.source.isDisabled) {
    throw new AppError("not_found", "disabled_source");
  }
  if (!endpoint.allowsAddress(ip)) {
    throw new AppError("unauthorized", "address_not_allowed");
  }
  if (!endpoint.allowsMethod(method)) {
    throw methodNotAllowed(endpoint.allow);
  }
  const repeated = endpoint.repeatedHeader(req);
  if (repeated !== null) {
    throw new AppError("bad_request", `repeated_header_${repeated}`);
  }
  if (
    method === "POST" &&
    !(
      endpoint.acceptsContentType(headers["content-type"]) &&
      isIdentityEncoding(headers["content-encoding"])
    )
  ) {
    throw new AppError("unsupported_media_type");
  }
}

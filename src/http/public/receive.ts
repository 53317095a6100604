import type { IncomingMessage } from "node:http";
import type { RequestHandler } from "express";
import type { IntakeResult, UnverifiedMessage } from "../../intake/intake.ts";
import type { Source } from "../../domain/model.ts";
import { AppError, methodNotAllowed } from "../../errors.ts";
import type { Admission } from "./admission.ts";
import { answerJson } from "../respond.ts";
import { type Exchange, exchangeOf } from "../request-context.ts";
import { isIdentityEncoding, isJsonMediaType } from "../media-type.ts";
import { declaredLength, readBody } from "../read-body.ts";
import type { Refuse } from "../reject.ts";

/** Exact: matched against the path as it was sent, so that no decoding makes two paths one. */
export const ENDPOINT = /^\/webhooks\/([a-z0-9][a-z0-9-]{0,63})$/;

export interface ReceiveDeps {
  readonly source: (name: string) => Source | undefined;
  readonly intake: (message: UnverifiedMessage) => Promise<IntakeResult>;
  readonly admission: Admission;
  readonly refuse: Refuse;
  readonly isDraining: () => boolean;
  readonly isClosed: () => boolean;
  readonly storedHeaders: (req: IncomingMessage) => string;
}

/** `POST /webhooks/:source`: what can be refused without the body first, then the body, then the intake. */
export function createReceive(
  deps: ReceiveDeps,
  options: { maxBodyBytes: number },
): RequestHandler {
  const { maxBodyBytes } = options;

  async function take(
    exchange: Exchange,
    message: Omit<UnverifiedMessage, "body">,
  ): Promise<IntakeResult> {
    const { req, res } = exchange;
    const declared = declaredLength(req);
    if (declared !== null && declared > maxBodyBytes) {
      throw new AppError("payload_too_large");
    }
    const holding = deps.admission.hold(exchange.ip);
    try {
      if (req.headers.expect !== undefined && req.httpVersion === "1.1") {
        res.writeContinue();
      }
      const body = await readBody(exchange, maxBodyBytes, holding);
      return await deps.admission.work(body.length, () =>
        deps.intake({ ...message, body }),
      );
    } finally {
      holding.resize(0);
    }
  }

  return async (req, res) => {
    const exchange = exchangeOf(res);
    const source = deps.source(ENDPOINT.exec(exchange.resource)?.[1] ?? "");
    if (source === undefined) {
      throw new AppError("not_found", "unknown_source");
    }
    exchange.source = source.name;
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
    const result = await take(exchange, {
      source,
      requestId: exchange.requestId,
      ip: exchange.ip,
      resource: exchange.resource,
      contentType: headers["content-type"] ?? "",
      header: (name) => {
        const value = headers[name];
        return typeof value === "string" ? value : undefined;
      },
      headers: () => deps.storedHeaders(req),
    });
    if (deps.isDraining()) {
      // It may have begun while this request was under way.
      res.shouldKeepAlive = false;
    }
    if ("code" in result) {
      deps.refuse.answer(exchange, result.code);
    } else {
      const { status, eventId: id } = result;
      answerJson(res, 200, { received: true, status, id });
    }
  };
}

import { IncomingMessage, ServerResponse } from "node:http";
import express, { type Express } from "express";
import { connectionOf } from "./connection/connection.ts";

/** An Express app and the classes that its server must make requests and responses of. */
export interface PlainExpress {
  readonly app: Express;
  readonly IncomingMessage: typeof IncomingMessage;
  readonly ServerResponse: typeof ServerResponse;
}

/**
 * An Express app whose requests and responses are created with its prototypes. Express sets the prototypes of both on
 * every request (`app.handle`), which makes each later property access slow: four times the work in all. Where
 * they are right already, setting them changes nothing. Mounted sub-applications would set them again: use
 * Routers. It rests on Express's internals, so test/service/http.test.ts guards it.
 *
 * What a listener of one of them throws, Node's own included, is contained to the connection: it would end the process.
 */
export function createExpressApp(): PlainExpress {
  const app = express();

  class Request extends IncomingMessage {
    override emit(event: string, ...values: unknown[]): boolean {
      try {
        return super.emit(event, ...values);
      } catch (error) {
        connectionOf(this.socket).fail(error);
        return true;
      }
    }
  }
  class Response<
    R extends IncomingMessage = IncomingMessage,
  > extends ServerResponse<R> {
    override emit(event: string, ...values: unknown[]): boolean {
      try {
        return super.emit(event, ...values);
      } catch (error) {
        connectionOf(this.req.socket).fail(error);
        return true;
      }
    }
  }
  adopt(Request.prototype, express.request, app);
  adopt(Response.prototype, express.response, app);
  app.request = Request.prototype as unknown as Express["request"];
  app.response = Response.prototype as unknown as Express["response"];

  app.disable("x-powered-by");
  app.disable("etag");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  return { app, IncomingMessage: Request, ServerResponse: Response };
}

function adopt(prototype: object, members: object, app: Express): void {
  Object.defineProperties(prototype, {
    ...Object.getOwnPropertyDescriptors(members),
    app: { configurable: true, enumerable: true, writable: true, value: app },
  });
}

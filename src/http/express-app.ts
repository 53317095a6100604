import { IncomingMessage, ServerResponse } from "node:http";
import express, { type Express } from "express";
import { connectionOf } from "./connection/connection.ts";

/** An Express app, and the classes that its server must use for requests and responses. */
export interface PlainExpress {
  readonly app: Express;
  readonly IncomingMessage: typeof IncomingMessage;
  readonly ServerResponse: typeof ServerResponse;
}

/**
 * Creates an Express app whose requests and responses already have Express's prototypes when Node creates them.
 *
 * On every request Express sets the prototypes of both objects (`app.handle`). This slows down each later property access:
 * a request takes four times the work. Setting the prototype that an object already has is cheap. Use Routers, not
 * sub-applications, because a mounted sub-application sets the prototypes again. This depends on internals of Express, so
 * test/service/http.test.ts checks it.
 *
 * An exception in a listener of a request or a response, including Node's own listeners, ends only its connection. Without
 * this it would end the process.
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
  addMembers(Request.prototype, express.request, app);
  addMembers(Response.prototype, express.response, app);
  app.request = Request.prototype as unknown as Express["request"];
  app.response = Response.prototype as unknown as Express["response"];

  app.disable("x-powered-by");
  app.disable("etag");
  app.enable("case sensitive routing");
  app.enable("strict routing");
  return { app, IncomingMessage: Request, ServerResponse: Response };
}

function addMembers(prototype: object, members: object, app: Express): void {
  Object.defineProperties(prototype, {
    ...Object.getOwnPropertyDescriptors(members),
    app: { configurable: true, enumerable: true, writable: true, value: app },
  });
}

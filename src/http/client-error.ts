import { type Socket } from "node:net";
import { type AuditDraft } from "../core/audit-entry.ts";
import { errorCode, PROBLEMS, type ProblemCode } from "../errors.ts";
import { rawProblem } from "./answer.ts";
import { exchangeOn } from "./exchange.ts";
import { httpRejected } from "./refuse.ts";

/** What the HTTP parser and the timers of the server call the faults that have a code of their own. */
const CODES: Readonly<Record<string, ProblemCode>> = {
  ERR_HTTP_REQUEST_TIMEOUT: "request_timeout",
  HPE_HEADER_OVERFLOW: "headers_too_large",
  HPE_CHUNK_EXTENSIONS_OVERFLOW: "payload_too_large",
};

/**
 * Answers a connection that failed below the app: nonsense, too slow, too large. Silent where nothing was read or
 * nobody listens any more. A fault in the body of a request that is under way belongs to that request's entry.
 */
export function createClientErrorHandler(deps: {
  append: (draft: AuditDraft) => Promise<void>;
  now: () => number;
}): (error: Error, socket: Socket) => void {
  function note(code: ProblemCode, reason: string, socket: Socket): void {
    const entry = httpRejected({
      at: deps.now(),
      resource: "(unread)",
      status: PROBLEMS[code].status,
      reason,
      ip: socket.remoteAddress ?? "unknown",
    });
    // The answer says no more than that the bytes were no request; it need not wait for its entry.
    deps.append(entry).catch(() => undefined);
  }

  return (error, socket) => {
    const fault = errorCode(error) ?? "unknown";
    if (
      !socket.writable ||
      socket.bytesRead === 0 ||
      fault === "ECONNRESET" ||
      fault === "EPIPE"
    ) {
      socket.destroy();
      return;
    }
    const code = CODES[fault] ?? "bad_request";
    const exchange = exchangeOn(socket);
    if (exchange === undefined || exchange.res.writableFinished) {
      note(code, fault, socket);
      socket.end(rawProblem(code), () => socket.destroy());
      return;
    }
    if (exchange.req.complete) {
      // It came behind a request that is still being answered: that answer goes first.
      note(code, fault, socket);
      exchange.res.once("finish", () => {
        socket.end(rawProblem(code), () => socket.destroy());
      });
      return;
    }
    if (exchange.res.headersSent) {
      socket.destroy();
      return;
    }
    exchange.fault = code;
    socket.end(rawProblem(code), () => socket.destroy());
  };
}

import type { Socket } from "node:net";
import { AppError, errorCode, type ProblemCode } from "../../errors.ts";
import type { Reject } from "../reject.ts";
import { rawProblem } from "../problem-response.ts";
import { connectionOf } from "./connection.ts";

/** The errors of Node's HTTP server that have their own response. Any other error is `bad_request`. */
const CODES: Readonly<Record<string, [ProblemCode, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "request_timeout"],
  HPE_HEADER_OVERFLOW: ["headers_too_large", "headers_too_large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["payload_too_large", "chunk_extensions"],
  HPE_INVALID_EOF_STATE: ["bad_request", "request_aborted"],
};

function rejectionOf(code: string): AppError {
  const [problem, reason] = CODES[code] ?? ["bad_request", code];
  return new AppError(problem, reason);
}

/**
 * Creates the handler of errors that Node's HTTP server finds before the app: invalid HTTP, a timeout, or a limit exceeded.
 *
 * It responds after all pending responses, then closes the connection. An error in the body of a request rejects that
 * request. There is no response if nothing was read or the client has disconnected.
 */
export function createClientErrorHandler(
  reject: Pick<Reject, "unread">,
): (error: Error, socket: Socket) => void {
  return (error, socket) => {
    const system = errorCode(error) ?? "unknown";
    if (
      !socket.writable ||
      socket.bytesRead === 0 ||
      system === "ECONNRESET" ||
      system === "EPIPE"
    ) {
      socket.destroy();
      return;
    }
    const connection = connectionOf(socket);
    const { current } = connection;
    const rejection = rejectionOf(system);
    if (current === null || current.req.complete) {
      const code = reject.unread(connection.address, rejection);
      connection.endAfter(rawProblem(code));
      return;
    }
    connection.endAfter("");
    current.abortBody?.(rejection);
  };
}

import type { Socket } from "node:net";
import {
  AppError,
  errorCode,
  PROBLEMS,
  type ProblemCode,
} from "../../errors.ts";
import type { RefusalBudget } from "../../intake/rate-limiter.ts";
import type { BudgetedEntries } from "../../audit/budgeted-entries.ts";
import { rawProblem } from "../respond.ts";
import { connectionOf } from "./connection.ts";
import { httpRejected } from "../reject.ts";

/** The faults of the HTTP parser and of the server's timers that mean more than bad framing. */
const FAULTS: Readonly<Record<string, [ProblemCode, string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["request_timeout", "request_timeout"],
  HPE_HEADER_OVERFLOW: ["headers_too_large", "headers_too_large"],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: ["payload_too_large", "chunk_extensions"],
  HPE_INVALID_EOF_STATE: ["bad_request", "request_aborted"],
};

function faultOf(code: string): AppError {
  const [problem, reason] = FAULTS[code] ?? ["bad_request", code];
  return new AppError(problem, reason);
}

/**
 * Answers a connection that failed below the app: nonsense, too slow, too large. No answer when nothing was read or
 * the client has disconnected. The answers that are due before go first; a fault in the body of a request is the answer, and
 * the entry, of that request.
 */
export function createClientErrorHandler(deps: {
  unverified: Pick<BudgetedEntries, "append">;
  refusals: RefusalBudget;
  now: () => number;
}): (error: Error, socket: Socket) => void {
  /** Notes the fault, and gives the code to answer with. */
  function note({ code: cause, reason }: AppError, ip: string): ProblemCode {
    const at = deps.now();
    const code = deps.refusals.refuse(cause, ip, at);
    const { status } = PROBLEMS[code];
    const entry = httpRejected({
      at,
      resource: "(unread)",
      status,
      reason,
      ip,
    });
    // The answer says no more than that the bytes were no request; it need not wait for its entry.
    deps.unverified.append(entry).catch(() => undefined);
    return code;
  }

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
    const fault = faultOf(system);
    if (current === null || current.req.complete) {
      connection.endAfter(rawProblem(note(fault, connection.address)));
      return;
    }
    connection.endAfter("");
    current.breakOff?.(fault);
  };
}

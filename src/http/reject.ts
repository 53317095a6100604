import { type AuditDraft, clipText } from "../audit/entry.ts";
import type { RefusalBudget } from "../intake/rate-limiter.ts";
import type { BudgetedEntries } from "../audit/budgeted-entries.ts";
import {
  type AppError,
  PROBLEMS,
  type ProblemCode,
  type ProblemExtras,
} from "../errors.ts";
import { writeProblem } from "./respond.ts";
import type { Exchange } from "./request-context.ts";
import { linger } from "./connection/lingering-close.ts";

/** Refuses a request for its HTTP form: an `http.rejected` entry first, then the answer. */
export interface Refuse {
  (exchange: Exchange, error: AppError): Promise<void>;
  /** The answer alone, for a refusal that has its entry already. */
  answer(exchange: Exchange, code: ProblemCode, extras?: ProblemExtras): void;
}

export interface RefuseDeps {
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly unverified: Pick<BudgetedEntries, "append">;
  readonly refusals: RefusalBudget;
  readonly now: () => number;
}

/** The `http.rejected` entry of a request that was refused before its signature was looked at. */
export function httpRejected(facts: {
  at: number;
  resource: string;
  status: number;
  reason: string;
  ip: string;
  requestId?: string;
  method?: string;
  source?: string;
  userId?: string;
}): AuditDraft {
  const { at, resource, requestId, source, method, ip, status, reason } = facts;
  return {
    at,
    action: "http.rejected",
    userId: facts.userId ?? "anonymous",
    resource: clipText(resource),
    result: "failure",
    metadata: { requestId, source, method, ip, status, reason },
  };
}

export function createRefuse(deps: RefuseDeps): Refuse {
  function answer(
    exchange: Exchange,
    code: ProblemCode,
    extras?: ProblemExtras,
  ): void {
    const { req, res } = exchange;
    if (res.headersSent || res.destroyed) {
      return;
    }
    const rest = linger(req, res, { close: code === "payload_too_large" });
    writeProblem(res, code, extras);
    rest.finish();
  }

  async function refuse(exchange: Exchange, error: AppError): Promise<void> {
    const { req, requestId, ip, resource } = exchange;
    const now = deps.now();
    const { code: cause, reason, extras } = error;
    const code = exchange.operator
      ? cause
      : deps.refusals.refuse(cause, ip, now);
    const { status } = PROBLEMS[code];
    const { append } = exchange.operator ? deps : deps.unverified;
    await append(
      httpRejected({
        at: now,
        resource,
        status,
        reason,
        ip,
        requestId,
        userId: exchange.operator ? "operator:api" : "anonymous",
        ...(req.method === undefined ? {} : { method: req.method }),
        ...(exchange.source === null ? {} : { source: exchange.source }),
      }),
    );
    answer(exchange, code, code === cause ? extras : {});
  }

  return Object.assign(refuse, { answer });
}

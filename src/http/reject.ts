import type { AuditLimiters } from "../audit/audit-limiter.ts";
import { type AuditDraft, clipText } from "../audit/entry.ts";
import { AppError, PROBLEMS, type ProblemCode } from "../errors.ts";
import type { IntakeRejection } from "../intake/intake.ts";
import { respondProblem } from "./problem-response.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import type { ReportResponse } from "./report-response.ts";
import type { RequestContext } from "./request-context.ts";

/**
 * Rejects a request: charges the rate limiter, writes the audit entry, responds, then reports the outcome. Every rejected
 * request passes through here, whether the app threw an `AppError` or the intake rejected it. The audit entry of a replay or
 * a conflict is already written. Requests with the admin token are not limited.
 */
export interface Reject {
  /** Rejects with StoreError, before anything is sent, if the audit entry cannot be written. */
  (
    context: RequestContext,
    rejection: AppError | IntakeRejection,
  ): Promise<void>;
  /**
   * Rejects input that Node could not parse as a request. Returns the code to respond with, and does not wait for the
   * audit entry.
   */
  readonly unread: (address: string, rejection: AppError) => ProblemCode;
}

export interface RejectDeps {
  /** Writes an entry without a limit: for requests of operators. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly auditLimiters: AuditLimiters;
  readonly rateLimiter: RateLimiter;
  readonly report: ReportResponse;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

export function createReject(deps: RejectDeps): Reject {
  const { auditLimiters, rateLimiter, report, now, monotonic } = deps;

  async function rejectMessage(
    context: RequestContext,
    { code: cause, isCharged, verified, entry }: IntakeRejection,
  ): Promise<void> {
    const code = isCharged
      ? rateLimiter.charge(cause, context.ip, monotonic())
      : cause;
    if (entry !== null) {
      const limiter =
        verified === null ? auditLimiters.unverified : auditLimiters.verified;
      await limiter.append(entry(PROBLEMS[code].status));
    }
    respondProblem(context, code);
    report(context, code, verified);
  }

  async function rejectRequest(
    context: RequestContext,
    { code: cause, reason, extras }: AppError,
  ): Promise<void> {
    const { req, requestId, ip, resource, source, operator } = context;
    const code = operator ? cause : rateLimiter.charge(cause, ip, monotonic());
    const { append } = operator ? deps : auditLimiters.unverified;
    await append(
      httpRejected(now(), {
        userId: operator ? "operator:api" : "anonymous",
        resource: clipText(resource),
        metadata: {
          requestId,
          source: source ?? undefined,
          method: req.method,
          ip,
          status: PROBLEMS[code].status,
          reason,
        },
      }),
    );
    respondProblem(context, code, code === cause ? extras : {});
    report(context, code);
  }

  function unread(ip: string, { code: cause, reason }: AppError): ProblemCode {
    const code = rateLimiter.charge(cause, ip, monotonic());
    const { status } = PROBLEMS[code];
    const entry = httpRejected(now(), {
      userId: "anonymous",
      resource: "(unread)",
      metadata: { ip, status, reason },
    });
    auditLimiters.unverified.append(entry).catch(() => undefined);
    report(null, code);
    return code;
  }

  return Object.assign(
    (context: RequestContext, rejection: AppError | IntakeRejection) =>
      rejection instanceof AppError
        ? rejectRequest(context, rejection)
        : rejectMessage(context, rejection),
    { unread },
  );
}

/** Returns the audit entry of a request that was rejected before the intake. */
function httpRejected(
  at: number,
  facts: Pick<AuditDraft, "userId" | "resource" | "metadata">,
): AuditDraft {
  return { at, action: "http.rejected", result: "failure", ...facts };
}

import type { AuditLimiters } from "../audit/audit-limiter.ts";
import { type AuditDraft, clipText } from "../audit/entry.ts";
import { AppError, PROBLEMS, type ProblemCode } from "../errors.ts";
import type { IntakeRejection } from "../intake/intake.ts";
import { respondProblem } from "./problem-response.ts";
import type { RateLimiter } from "./rate-limiter.ts";
import type { RequestContext } from "./request-context.ts";

/**
 * The one exit of rejected requests: charges the rate limiter, writes the audit entry, then responds. A request is
 * rejected by what the app threw, or by the intake. The entry of a replay or a conflict was committed with the record.
 * Operators who have shown the token are not limited.
 */
export interface Reject {
  /** Rejects with StoreError when the entry cannot be written; nothing was sent then. */
  (
    context: RequestContext,
    rejection: AppError | IntakeRejection,
  ): Promise<void>;
  /**
   * Input of a connection that became no request. Returns the code to respond with. Its entry is written meanwhile: the
   * response says only that the bytes were no request.
   */
  readonly unread: (address: string, rejection: AppError) => ProblemCode;
}

export interface RejectDeps {
  /** Of an operator: not limited. */
  readonly append: (draft: AuditDraft) => Promise<void>;
  readonly auditLimiters: AuditLimiters;
  readonly rateLimiter: RateLimiter;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

export function createReject(deps: RejectDeps): Reject {
  const { auditLimiters, rateLimiter, now, monotonic } = deps;

  async function rejectMessage(
    context: RequestContext,
    { code: cause, isCharged, isVerified, entry }: IntakeRejection,
  ): Promise<void> {
    const code = isCharged
      ? rateLimiter.charge(cause, context.ip, monotonic())
      : cause;
    if (entry !== null) {
      const limiter = isVerified
        ? auditLimiters.verified
        : auditLimiters.unverified;
      await limiter.append(entry(PROBLEMS[code].status));
    }
    respondProblem(context, code);
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

/** The entry of a request that the listeners reject themselves, without the intake. */
function httpRejected(
  at: number,
  facts: Pick<AuditDraft, "userId" | "resource" | "metadata">,
): AuditDraft {
  return { at, action: "http.rejected", result: "failure", ...facts };
}

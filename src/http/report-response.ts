import type { VerifiedMessage } from "../intake/intake.ts";
import type { Emit } from "../telemetry/happening.ts";
import type { RequestOutcome } from "../telemetry/measurement.ts";
import type { RequestContext } from "./request-context.ts";

/**
 * Reports the outcome of a request to telemetry. Call it exactly once for each request, after the response. `context` is
 * null for input that could not be read as a request.
 */
export type ReportResponse = (
  context: Pick<RequestContext, "source" | "startedAt"> | null,
  outcome: RequestOutcome,
  verified?: VerifiedMessage | null,
) => void;

/** `monotonic`: the clock that the contexts have their `startedAt` from. */
export function createReportResponse(deps: {
  emit: Emit;
  monotonic: () => number;
}): ReportResponse {
  const { emit, monotonic } = deps;
  return (context, outcome, verified) => {
    emit({
      type: "request.responded",
      source: context?.source ?? null,
      outcome,
      durationMs: context === null ? null : monotonic() - context.startedAt,
      keyId: verified?.keyId,
      skewSeconds: verified?.skewSeconds,
    });
  };
}

import type { AttemptResult } from "../domain/delivery.ts";

/**
 * Makes one attempt. It ends with a timeout after `timeoutMs` or when `cutOff` aborts, even if the code of the attempt
 * ignores its signal. Never rejects.
 */
export async function withAttemptTimeout(
  attempt: (signal: AbortSignal) => Promise<AttemptResult>,
  limits: { timeoutMs: number; cutOff: AbortSignal },
): Promise<AttemptResult> {
  const { timeoutMs, cutOff } = limits;
  const abort = new AbortController();
  let onAbort: () => void = () => undefined;
  const ended = new Promise<AttemptResult>((resolve) => {
    onAbort = () => {
      abort.abort();
      resolve({ ok: false, reason: "timeout" });
    };
  });
  const timer = setTimeout(onAbort, timeoutMs);
  cutOff.addEventListener("abort", onAbort);
  if (cutOff.aborted) {
    onAbort();
  }
  try {
    return await Promise.race([
      attempt(abort.signal).catch((): AttemptResult => ({
        ok: false,
        reason: "attempt_threw",
      })),
      ended,
    ]);
  } finally {
    clearTimeout(timer);
    cutOff.removeEventListener("abort", onAbort);
  }
}

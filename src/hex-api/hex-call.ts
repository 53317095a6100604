import { setTimeout as delay } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import type { AuditDraft } from "../audit/entry.ts";
import { waitAfterAttempt } from "../domain/backoff.ts";
import { keyIdOf } from "../domain/key-id.ts";
import { denialOf, type ScopeRules } from "./scopes.ts";
import { type Denial, HexApiError, HexDeniedError } from "./hex-error.ts";
import { type HexAnswer, hexRequest } from "./hex-request.ts";

const TIMEOUT_MS = 10_000;

/** Waits between attempts, ±20 %. */
const RETRY_WAITS_MS = [500, 1000, 2000];

/** If the API asks for a longer wait, the call fails without another attempt. */
const MAX_CALL_WAIT_MS = 30_000;

/** Options of a client of the Hex API. */
export interface HexClientOptions {
  /** For example `https://api.hex.com`. */
  readonly apiUrl: string;
  /** The scopes that calls are checked against before anything is sent. Without it no call is checked. */
  readonly scopes?: ScopeRules;
  /** Receives the audit entry of each call. The call waits for the promise, and rejects if the promise rejects. */
  readonly audit: (entry: AuditDraft) => void | Promise<void>;
  /** The `userId` of audit entries: `worker` (a handler, the default), `system` or `operator:NAME`. */
  readonly userId?: string;
  readonly userAgent?: string;
  /** Time limit of one attempt, in milliseconds. Default: 10000. */
  readonly timeoutMs?: number;
  /** Waits between attempts, in milliseconds. Default: 500, 1000 and 2000. An empty list means one attempt. */
  readonly retryWaitsMs?: readonly number[];
  readonly fetch?: typeof fetch;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** An operation of the Hex API. */
export interface HexOperation {
  readonly method: "GET" | "POST";
  /** Relative to the URL of the API, without a leading slash. */
  readonly path: string;
  /** The scope that the operation needs. */
  readonly scope: string;
}

/** The input of one call. */
export interface HexCallInput {
  readonly body?: string;
  /** The API accepts a body only once for each key. Default: a new key. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type HexCall = (
  operation: HexOperation,
  input: HexCallInput,
) => Promise<HexAnswer>;

/**
 * Creates a function that calls the Hex API with one key. Each call is checked against the scopes first, and retried after 429,
 * 5xx and network errors. Its audit entry is `hex.api.denied` if nothing was sent, otherwise `hex.api.call`. Rejects with
 * HexDeniedError or HexApiError.
 */
export function createHexCall(
  options: HexClientOptions,
  apiKey: string | null,
): HexCall {
  // Callers in JavaScript can pass any value. Only a non-empty string is sent.
  const key = typeof apiKey === "string" && apiKey !== "" ? apiKey : null;
  const { apiUrl, scopes, timeoutMs = TIMEOUT_MS } = options;
  const { fetch = globalThis.fetch, now = Date.now } = options;
  const { random = Math.random, userAgent = "Hexhook" } = options;
  const { retryWaitsMs = RETRY_WAITS_MS, userId = "worker" } = options;
  const base = apiUrl.endsWith("/") ? apiUrl : `${apiUrl}/`;
  const keyId = key === null ? undefined : keyIdOf(key);

  function denial(scope: string): Denial | null {
    if (key === null) {
      return "no_key";
    }
    return scopes === undefined ? null : denialOf(scopes, scope);
  }

  /** Returns the wait before the next attempt, or null if there is none. */
  function waitAfter(failed: number, error: unknown): number | null {
    if (!(error instanceof HexApiError) || !isRetryable(error)) {
      return null;
    }
    const wait = waitAfterAttempt(failed, retryWaitsMs, random());
    return wait === null || error.retryAfterMs > MAX_CALL_WAIT_MS
      ? null
      : Math.max(wait, error.retryAfterMs);
  }

  return async ({ method, path, scope }, input) => {
    const call = { method, scope, keyId };
    const entry = (
      action: "hex.api.call" | "hex.api.denied",
      result: AuditDraft["result"],
      facts: AuditDraft["metadata"],
    ): AuditDraft => ({
      at: now(),
      action,
      userId,
      resource: `/${path}`,
      result,
      metadata: { ...call, ...facts },
    });

    const denied = denial(scope);
    if (key === null || denied !== null) {
      const reason = denied ?? "no_key";
      await options.audit(entry("hex.api.denied", "failure", { reason }));
      throw new HexDeniedError(scope, reason);
    }

    const { body, idempotencyKey = randomUUID(), signal } = input;
    const request = {
      method,
      url: new URL(path, base),
      key,
      ...(body === undefined
        ? {}
        : { body, headers: { "idempotency-key": idempotencyKey } }),
      timeoutMs,
      signal,
    };
    for (let attempts = 1; ; attempts += 1) {
      try {
        const response = await hexRequest({ fetch, now, userAgent }, request);
        const { status } = response;
        await options.audit(
          entry("hex.api.call", "success", { status, attempts }),
        );
        return response;
      } catch (error) {
        const wait = waitAfter(attempts, error);
        if (wait !== null && (await pause(wait, signal))) {
          continue;
        }
        if (error instanceof HexApiError) {
          const { reason, status } = error;
          const facts = { reason, status, attempts };
          await options.audit(entry("hex.api.call", "failure", facts));
        }
        throw error;
      }
    }
  };
}

/** Waits. Returns false if the signal aborts the wait. */
async function pause(
  milliseconds: number,
  signal: AbortSignal | undefined,
): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, signal ? { signal } : {});
    return true;
  } catch {
    return false;
  }
}

/** Whether the next attempt may succeed. */
function isRetryable({ reason, status = 0 }: HexApiError): boolean {
  return (
    reason === "network" ||
    reason === "timeout" ||
    (reason === "status" && (status === 429 || status >= 500))
  );
}

import { setTimeout as delay } from "node:timers/promises";
import { randomUUID } from "node:crypto";
import type { AuditDraft } from "../audit/entry.ts";
import { waitAfterAttempt } from "../domain/backoff.ts";
import { keyIdOf } from "../domain/key-id.ts";
import { denialOf, type ScopeRules } from "./scopes.ts";
import { type Denial, HexApiError, HexDeniedError } from "./hex-error.ts";
import { type HexAnswer, hexRequest } from "./hex-request.ts";

const TIMEOUT_MS = 10_000;

/** Waits after failed tries, ±20 %. */
const RETRY_WAITS_MS = [500, 1000, 2000];

/** Whoever asks to be left alone for longer is not asked again. */
const MAX_CALL_WAIT_MS = 30_000;

/** What a client of the Hex API is made with. */
export interface HexClientOptions {
  /** Such as `https://api.hex.com`. */
  readonly apiUrl: string;
  /** What calls are held to before anything is sent; without it every call passes. */
  readonly scopes?: ScopeRules;
  /** Takes the audit entry of each call; the call waits for it, and fails when it fails. */
  readonly audit: (entry: AuditDraft) => void | Promise<void>;
  /** Who is said to call: `worker` (a handler, the default), `system`, `operator:NAME`. */
  readonly userId?: string;
  readonly userAgent?: string;
  /** Of one try, in milliseconds; 10 seconds unless told. */
  readonly timeoutMs?: number;
  /** Waits between tries, in milliseconds; 500, 1000 and 2000 unless told, none = one try. */
  readonly retryWaitsMs?: readonly number[];
  readonly fetch?: typeof fetch;
  /** Unix milliseconds. */
  readonly now?: () => number;
  /** In [0, 1). */
  readonly random?: () => number;
}

/** What an operation of the Hex API is made of. */
export interface HexOperation {
  readonly method: "GET" | "POST";
  /** Below the API's URL, without a leading slash. */
  readonly path: string;
  /** What it needs. */
  readonly scope: string;
}

/** What one call of it carries. */
export interface HexCallInput {
  readonly body?: string;
  /** Under one key the API takes a body once; a new one unless given. */
  readonly idempotencyKey?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

export type HexCall = (
  operation: HexOperation,
  input: HexCallInput,
) => Promise<HexAnswer>;

/**
 * Calls of the Hex API with one key: each is held to the scopes first, tried again on 429, 5xx and network faults, and
 * written to the audit trail, `hex.api.denied` when nothing was sent, else `hex.api.call`. Rejects with HexDeniedError or
 * HexApiError.
 */
export function createHexCall(
  options: HexClientOptions,
  given: string | null,
): HexCall {
  // From JavaScript it may be anything: what is no key is not sent.
  const key = typeof given === "string" && given !== "" ? given : null;
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

  /** Null when it is not to be tried again. */
  function waitAfter(failed: number, error: unknown): number | null {
    if (!(error instanceof HexApiError) || !isPassing(error)) {
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
        const answer = await hexRequest({ fetch, now, userAgent }, request);
        const { status } = answer;
        await options.audit(
          entry("hex.api.call", "success", { status, attempts }),
        );
        return answer;
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

/** False when the signal has cut it short. */
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

/** What may well go away by asking again. */
function isPassing({ reason, status = 0 }: HexApiError): boolean {
  return (
    reason === "network" ||
    reason === "timeout" ||
    (reason === "status" && (status === 429 || status >= 500))
  );
}

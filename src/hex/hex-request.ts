import { parseRetryAfter } from "../core/retry-after.ts";
import { networkFault } from "../errors.ts";

/** An answer is read up to here, so that its connection can be used again; the rest of it is not. */
const MAX_ANSWER_BYTES = 65_536;

export interface HexRequestDeps {
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly userAgent: string;
}

/** A call of the Hex API that did not succeed. Says nothing of the key. */
export class HexApiError extends Error {
  override readonly name = "HexApiError";
  /** `status`, `timeout`, `network`, or `no_api` (a web page where the API should be). */
  readonly reason: string;
  /** Of the answer, where there was one. */
  readonly status: number | undefined;
  /** How long the API asks to be left alone, in milliseconds; 0 when it does not say. */
  readonly retryAfterMs: number;

  constructor(
    reason: string,
    options: { status?: number; retryAfterMs?: number; detail?: string } = {},
  ) {
    super(
      `the Hex API call failed: ${[reason, options.status, options.detail].filter((part) => part !== undefined).join(" ")}`,
    );
    this.reason = reason;
    this.status = options.status;
    this.retryAfterMs = options.retryAfterMs ?? 0;
  }
}

/**
 * One call of the Hex API. Resolves when it is answered 2xx to the end; rejects with HexApiError for everything else, a
 * redirect too: the key goes nowhere but there. `signal` cuts it off.
 */
export async function hexRequest(
  deps: HexRequestDeps,
  request: {
    readonly method: "GET" | "POST";
    readonly url: URL;
    readonly key: string;
    readonly body?: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly timeoutMs: number;
    readonly signal?: AbortSignal | undefined;
  },
): Promise<void> {
  const { method, url, key, body, headers, timeoutMs } = request;
  const signals = [AbortSignal.timeout(timeoutMs), request.signal ?? []].flat();
  let response: Response;
  try {
    response = await deps.fetch(url, {
      method,
      headers: {
        "user-agent": deps.userAgent,
        accept: "application/json",
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...headers,
        authorization: `Bearer ${key}`,
      },
      ...(body === undefined ? {} : { body }),
      redirect: "manual",
      signal: AbortSignal.any(signals),
    });
  } catch (thrown) {
    throw signals[0]?.aborted
      ? new HexApiError("timeout")
      : new HexApiError("network", { detail: networkFault(thrown) });
  }
  if (!response.ok) {
    await readSome(response).catch(() => undefined);
    const { status } = response;
    const asked = response.headers.get("retry-after") ?? undefined;
    const retryAfterMs = parseRetryAfter(asked, deps.now()) ?? 0;
    throw new HexApiError("status", { status, retryAfterMs });
  }
  try {
    await readSome(response);
  } catch (thrown) {
    throw new HexApiError("network", { detail: networkFault(thrown) });
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    // The page of a proxy or a log-in, and not the API's word.
    throw new HexApiError("no_api", { status: response.status });
  }
}

/** What the body says does not matter; that it comes to its end, or goes on for long, does. */
async function readSome({ body }: Response): Promise<void> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  let read = 0;
  while (reader !== undefined && read <= MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) {
      return;
    }
    read += value.byteLength;
  }
  await reader?.cancel();
}

import { parseRetryAfter } from "../domain/retry-after.ts";
import { networkFault } from "../errors.ts";
import { HexApiError } from "./hex-error.ts";

/** Maximum size of the body of a response, in bytes. */
const MAX_RESPONSE_BYTES = 65_536;

export interface HexRequestDeps {
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly userAgent: string;
}

/** A 2xx response of the API. */
export interface HexAnswer {
  readonly status: number;
  /** The parsed JSON body; undefined if it is not JSON, or longer than 64 KiB. */
  readonly body: unknown;
}

/**
 * Sends one request to the Hex API. Resolves with a complete 2xx response, and rejects with HexApiError otherwise. Redirects are
 * not followed, so that the key is sent to no other server. `signal` aborts the request.
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
): Promise<HexAnswer> {
  const { method, url, key, body, headers, timeoutMs } = request;
  const timeout = AbortSignal.timeout(timeoutMs);
  const errorOf = (thrown: unknown): HexApiError => {
    if (request.signal?.aborted) {
      return new HexApiError("aborted");
    }
    return timeout.aborted
      ? new HexApiError("timeout")
      : new HexApiError("network", { detail: networkFault(thrown) });
  };
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
      signal: AbortSignal.any([timeout, request.signal ?? []].flat()),
    });
  } catch (thrown) {
    throw errorOf(thrown);
  }
  if (!response.ok) {
    await readBody(response).catch(() => undefined);
    const { status } = response;
    const retryAfter = response.headers.get("retry-after") ?? undefined;
    const retryAfterMs = parseRetryAfter(retryAfter, deps.now()) ?? 0;
    throw new HexApiError("status", { status, retryAfterMs });
  }
  let text: string | null;
  try {
    text = await readBody(response);
  } catch (thrown) {
    throw errorOf(thrown);
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    // It is not a response of the API, but the page of a proxy or a log-in form.
    throw new HexApiError("no_api", { status: response.status });
  }
  return { status: response.status, body: jsonOf(text) };
}

/** Reads the text of a response; null if it is too long. */
async function readBody({ body }: Response): Promise<string | null> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  const chunks: Uint8Array[] = [];
  let read = 0;
  while (reader !== undefined && read <= MAX_RESPONSE_BYTES) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    chunks.push(value);
    read += value.byteLength;
  }
  if (read > MAX_RESPONSE_BYTES) {
    await reader?.cancel();
    return null;
  }
  return Buffer.concat(chunks).toString("utf8");
}

function jsonOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? "") as unknown;
  } catch {
    return undefined;
  }
}

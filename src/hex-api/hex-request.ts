import { parseRetryAfter } from "../domain/retry-after.ts";
import { networkFault } from "../errors.ts";
import { HexApiError } from "./hex-error.ts";

/** An answer is read up to here; the rest of it is not. */
const MAX_ANSWER_BYTES = 65_536;

export interface HexRequestDeps {
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  readonly userAgent: string;
}

/** What the API answered: a 2xx. */
export interface HexAnswer {
  readonly status: number;
  /** The answer as JSON; undefined where it is none, or longer than 64 KiB. */
  readonly body: unknown;
}

/**
 * One request to the Hex API. Resolves when it is answered 2xx to the end; rejects with HexApiError for everything else, a
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
): Promise<HexAnswer> {
  const { method, url, key, body, headers, timeoutMs } = request;
  const late = AbortSignal.timeout(timeoutMs);
  const faultOf = (thrown: unknown): HexApiError => {
    if (request.signal?.aborted) {
      return new HexApiError("aborted");
    }
    return late.aborted
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
      signal: AbortSignal.any([late, request.signal ?? []].flat()),
    });
  } catch (thrown) {
    throw faultOf(thrown);
  }
  if (!response.ok) {
    await readSome(response).catch(() => undefined);
    const { status } = response;
    const asked = response.headers.get("retry-after") ?? undefined;
    const retryAfterMs = parseRetryAfter(asked, deps.now()) ?? 0;
    throw new HexApiError("status", { status, retryAfterMs });
  }
  let text: string | null;
  try {
    text = await readSome(response);
  } catch (thrown) {
    throw faultOf(thrown);
  }
  if (/^text\/html\b/i.test(response.headers.get("content-type") ?? "")) {
    // The page of a proxy or a log-in, and not the API's word.
    throw new HexApiError("no_api", { status: response.status });
  }
  return { status: response.status, body: jsonOf(text) };
}

/** The text of an answer that comes to its end; null when it is longer than it may be. */
async function readSome({ body }: Response): Promise<string | null> {
  const reader = (body as ReadableStream<Uint8Array> | null)?.getReader();
  const chunks: Uint8Array[] = [];
  let read = 0;
  while (reader !== undefined && read <= MAX_ANSWER_BYTES) {
    const { done, value } = await reader.read();
    if (done) {
      break;
    }
    chunks.push(value);
    read += value.byteLength;
  }
  if (read > MAX_ANSWER_BYTES) {
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

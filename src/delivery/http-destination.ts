import { hash as digest } from "node:crypto";
import {
  type AttemptResult,
  type ClaimedDelivery,
  type Destination,
} from "../core/model.ts";
import { networkFault } from "../errors.ts";
import { headerText } from "./header-text.ts";
import { readAtMost } from "./read-at-most.ts";
import { outboundKey, standardSignature } from "./standard-webhooks.ts";

/** The answer of a destination is read up to here and then dropped. */
const MAX_ANSWER_BYTES = 65_536;

const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

export interface HttpDestinationOptions {
  readonly name: string;
  readonly url: string;
  readonly events: readonly string[];
  readonly concurrency: number;
  /** Signs as Standard Webhooks do; null = unsigned. */
  readonly secret: string | null;
}

export interface HttpDestinationDeps {
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** So many random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  readonly userAgent: string;
}

/** A destination behind an URL: each attempt posts the exact bytes that were received. */
export function createHttpDestination(
  deps: HttpDestinationDeps,
  options: HttpDestinationOptions,
): Destination {
  const { name, url, events, concurrency } = options;
  const key = options.secret === null ? null : outboundKey(options.secret);

  function headersOf({ event, attempt }: ClaimedDelivery) {
    const id = headerText(event.id);
    const timestamp = Math.floor(deps.now() / 1000);
    const headers: Record<string, string> = {
      "content-type": event.contentType,
      "user-agent": deps.userAgent,
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "x-hexhook-source": event.source,
      "x-hexhook-type": headerText(event.type),
      "x-hexhook-attempt": String(attempt),
      traceparent: `00-${traceIdOf(event)}-${deps.randomHex(8)}-01`,
    };
    if (key !== null) {
      headers["webhook-signature"] = standardSignature(
        key,
        id,
        timestamp,
        event.body,
      );
    }
    return headers;
  }

  return {
    name,
    events,
    concurrency,
    async attempt(delivery, signal): Promise<AttemptResult> {
      try {
        const response = await deps.fetch(url, {
          method: "POST",
          headers: headersOf(delivery),
          body: new Uint8Array(delivery.event.body),
          redirect: "manual",
          signal,
        });
        await readAtMost(response.body, MAX_ANSWER_BYTES);
        const { status } = response;
        return status >= 200 && status < 300
          ? { ok: true, status }
          : { ok: false, reason: "status", status, gone: status === 410 };
      } catch (thrown) {
        return signal.aborted
          ? { ok: false, reason: "timeout" }
          : { ok: false, reason: "network", detail: networkFault(thrown) };
      }
    },
  };
}

/** The trace of the request that brought the event, or one made of the event: the same on every attempt. */
function traceIdOf(event: ClaimedDelivery["event"]): string {
  const { traceparent } = JSON.parse(event.headers) as {
    traceparent?: string;
  };
  return (
    TRACEPARENT.exec(traceparent ?? "")?.[1] ??
    digest("sha256", `${event.source}/${event.id}`, "hex").slice(0, 32)
  );
}

import type {
  AttemptSettings,
  Destination,
  Route,
} from "../../domain/destination.ts";
import type { AttemptResult, ClaimedDelivery } from "../../domain/delivery.ts";
import type { LookupFunction } from "node:net";
import { parseRetryAfter } from "../../domain/retry-after.ts";
import { networkFault } from "../../errors.ts";
import { formatTraceparent, traceOf } from "../../telemetry/traceparent.ts";
import {
  AddressRefused,
  createGuardedLookup,
  forbiddenHost,
} from "./address-guard.ts";
import { headerText } from "./header-text.ts";
import { createHttpPost, type HttpResponse } from "./http-post.ts";
import { createSharedLookup } from "./shared-lookup.ts";
import { outboundKey, standardSignature } from "./standard-webhooks.ts";

export interface HttpDestinationOptions extends Route, AttemptSettings {
  /** http or https. */
  readonly url: string;
  /** The secret for a Standard Webhooks signature; null = unsigned. */
  readonly secret: string | null;
  /** Extra headers of each attempt. Must not contain a header that is set in this file. Default: none. */
  readonly headers?:
    readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Maximum number of attempts in flight, and of connections. */
  readonly concurrency: number;
  /** Whether the URL may lead to loopback, RFC 1918 and other non-public addresses. */
  readonly allowPrivate: boolean;
}

export interface HttpDestinationDeps {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** Resolves names as `dns.lookup` does. */
  readonly lookup: LookupFunction;
  readonly userAgent: string;
}

/**
 * Creates a destination with a URL. Each attempt is one POST of the exact bytes that were received. Link-local, cloud
 * metadata and multicast addresses are always forbidden, and non-public ones unless `allowPrivate` is set. The check covers
 * resolved names and addresses in the URL. `close()` closes the connections that are kept open between attempts.
 */
export function createHttpDestination(
  deps: HttpDestinationDeps,
  options: HttpDestinationOptions,
): Destination & { close(): void } {
  const { url: href, secret, headers: extra = [], ...settings } = options;
  const own = Object.fromEntries(extra.map(({ name, value }) => [name, value]));
  const url = new URL(href);
  const key = secret === null ? null : outboundKey(secret);
  const refused = forbiddenHost(url, options);
  const lookup = createGuardedLookup(createSharedLookup(deps.lookup), options);
  const post = createHttpPost(
    { lookup },
    { url, connections: settings.concurrency },
  );

  function headersOf(
    { event, attempt }: ClaimedDelivery,
    traceparent: string | null,
  ) {
    const id = headerText(event.id);
    const timestamp = Math.floor(deps.now() / 1000);
    const headers: Record<string, string> = {
      ...own,
      "content-type": event.contentType,
      "user-agent": deps.userAgent,
      "webhook-id": id,
      "webhook-timestamp": String(timestamp),
      "x-hexhook-source": event.source,
      "x-hexhook-type": headerText(event.type),
      "x-hexhook-attempt": String(attempt),
      traceparent: traceparent ?? newTraceparent(event),
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

  function newTraceparent(event: ClaimedDelivery["event"]): string {
    const { traceId } = traceOf(event);
    const spanId = deps.randomHex(8);
    return formatTraceparent({ traceId, spanId, traceFlags: 1 });
  }

  function resultOf({ status, retryAfter }: HttpResponse): AttemptResult {
    if (status >= 200 && status < 300) {
      return { ok: true, status };
    }
    const retryAfterMs = parseRetryAfter(retryAfter, deps.now());
    return {
      ok: false,
      reason: "status",
      status,
      gone: status === 410,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    };
  }

  return {
    ...settings,
    kind: "http",
    place: url.origin,
    async attempt(delivery, signal, traceparent): Promise<AttemptResult> {
      try {
        if (refused !== null) {
          throw new AddressRefused(refused);
        }
        const { body } = delivery.event;
        const headers = headersOf(delivery, traceparent);
        return resultOf(await post.send({ headers, body }, signal));
      } catch (thrown) {
        return failureOf(thrown, signal);
      }
    },
    close() {
      post.close();
    },
  };
}

function failureOf(thrown: unknown, signal: AbortSignal): AttemptResult {
  if (signal.aborted) {
    return { ok: false, reason: "timeout" };
  }
  return thrown instanceof AddressRefused
    ? { ok: false, reason: "address_refused", detail: thrown.kind }
    : { ok: false, reason: "network", detail: networkFault(thrown) };
}

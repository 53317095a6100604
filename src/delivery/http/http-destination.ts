import type {
  AttemptSettings,
  Destination,
  Route,
} from "../../domain/destination.ts";
import type { AttemptResult, ClaimedDelivery } from "../../domain/delivery.ts";
import { hash as digest } from "node:crypto";
import type { LookupFunction } from "node:net";
import { parseRetryAfter } from "../../domain/retry-after.ts";
import { networkFault } from "../../errors.ts";
import {
  AddressRefused,
  createGuardedLookup,
  forbiddenHost,
} from "./address-guard.ts";
import { headerText } from "./header-text.ts";
import { type Answer, createHttpPost } from "./http-post.ts";
import { createSharedLookup } from "./shared-lookup.ts";
import { outboundKey, standardSignature } from "./standard-webhooks.ts";

const TRACEPARENT = /^00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/;

export interface HttpDestinationOptions extends Route, AttemptSettings {
  /** http or https. */
  readonly url: string;
  /** Signs as Standard Webhooks do; null = unsigned. */
  readonly secret: string | null;
  /** Sent with each attempt; none of them is one that is set here. Left out: none. */
  readonly headers?:
    readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Attempts, and so connections, that may be under way at once. */
  readonly concurrency: number;
  /** Whether the URL may lead to loopback, RFC 1918 and other addresses that are not on the internet. */
  readonly allowPrivate: boolean;
}

export interface HttpDestinationDeps {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** So many random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
  /** Resolves names as `dns.lookup` does. */
  readonly lookup: LookupFunction;
  readonly userAgent: string;
}

/**
 * A destination behind an URL: each attempt is one POST of the exact bytes that were received. Addresses that are never
 * a destination (link-local, cloud metadata, multicast) are refused, others by `allowPrivate`, both when the name is
 * resolved and when the URL has an address. `close()` closes the connections that are kept open between attempts.
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

  function headersOf({ event, attempt }: ClaimedDelivery) {
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

  function resultOf({ status, retryAfter }: Answer): AttemptResult {
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
    async attempt(delivery, signal): Promise<AttemptResult> {
      try {
        if (refused !== null) {
          throw new AddressRefused(refused);
        }
        const { body } = delivery.event;
        const headers = headersOf(delivery);
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

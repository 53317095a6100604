import type {
  AttemptSettings,
  Destination,
  Route,
} from "../../domain/destination.ts";
import type { ClaimedDelivery } from "../../domain/delivery.ts";
import { formatTraceparent, traceOf } from "../../telemetry/traceparent.ts";
import { headerText } from "./header-text.ts";
import { createSignedPost, type SignedPostDeps } from "./signed-post.ts";

export interface HttpDestinationOptions extends Route, AttemptSettings {
  /** http or https. */
  readonly url: string;
  /** The secret for a Standard Webhooks signature; null = unsigned. */
  readonly secret: string | null;
  /** Extra headers of each attempt. Must not contain a header that an attempt has anyway. Default: none. */
  readonly headers?:
    readonly { readonly name: string; readonly value: string }[] | undefined;
  /** Maximum number of attempts in flight, and of connections. */
  readonly concurrency: number;
  /** Whether the URL may lead to loopback, RFC 1918 and other non-public addresses. */
  readonly allowPrivate: boolean;
}

export interface HttpDestinationDeps extends SignedPostDeps {
  /** Returns this number of random bytes, in hex. */
  readonly randomHex: (bytes: number) => string;
}

/** Creates a destination with a URL. Each attempt is one POST of the exact bytes that were received. */
export function createHttpDestination(
  deps: HttpDestinationDeps,
  options: HttpDestinationOptions,
): Destination & { close(): void } {
  const { url, secret, headers: extra = [], ...settings } = options;
  const own = Object.fromEntries(extra.map(({ name, value }) => [name, value]));
  const { concurrency: connections, allowPrivate } = settings;
  const post = createSignedPost(deps, {
    url,
    secret,
    connections,
    allowPrivate,
  });

  function newTraceparent(event: ClaimedDelivery["event"]): string {
    const { traceId } = traceOf(event);
    const spanId = deps.randomHex(8);
    return formatTraceparent({ traceId, spanId, traceFlags: 1 });
  }

  return {
    ...settings,
    kind: "http",
    place: post.place,
    async attempt({ event, attempt }, signal, traceparent) {
      const message = {
        id: headerText(event.id),
        contentType: event.contentType,
        body: event.body,
        headers: {
          ...own,
          "x-hexhook-source": event.source,
          "x-hexhook-type": headerText(event.type),
          "x-hexhook-attempt": String(attempt),
          traceparent: traceparent ?? newTraceparent(event),
        },
      };
      return post.send(message, signal);
    },
    close() {
      post.close();
    },
  };
}

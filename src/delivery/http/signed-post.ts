import type { LookupFunction } from "node:net";
import type { AttemptResult } from "../../domain/delivery.ts";
import { parseRetryAfter } from "../../domain/retry-after.ts";
import { networkFault } from "../../errors.ts";
import {
  AddressRefused,
  createGuardedLookup,
  forbiddenHost,
} from "./address-guard.ts";
import { createHttpPost, type HttpResponse } from "./http-post.ts";
import { createSharedLookup } from "./shared-lookup.ts";
import { outboundKey, standardSignature } from "./standard-webhooks.ts";

export interface SignedPostDeps {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Resolves names as `dns.lookup` does. */
  readonly lookup: LookupFunction;
  readonly userAgent: string;
}

/** Posts messages to one URL, with the headers of Standard Webhooks. */
export interface SignedPost {
  /** The origin of the URL, without secrets. */
  readonly place: string;
  /** Sends one message. Ends early if `signal` aborts. Never rejects. `id` must be visible ASCII. */
  send(
    message: {
      readonly id: string;
      readonly contentType: string;
      readonly body: Buffer;
      readonly headers: Readonly<Record<string, string>>;
    },
    signal: AbortSignal,
  ): Promise<AttemptResult>;
  /** Closes the connections that are kept open between messages. */
  close(): void;
}

/**
 * Creates the sender of one http or https URL. `secret`: null = unsigned. `connections`: maximum number. Link-local, cloud
 * metadata and multicast addresses are always forbidden, and non-public ones unless `allowPrivate` is set. The check covers
 * resolved names and addresses in the URL. Redirects are not followed.
 */
export function createSignedPost(
  { now, lookup, userAgent }: SignedPostDeps,
  options: {
    readonly url: string;
    readonly secret: string | null;
    readonly connections: number;
    readonly allowPrivate: boolean;
  },
): SignedPost {
  const url = new URL(options.url);
  const key = options.secret === null ? null : outboundKey(options.secret);
  const refused = forbiddenHost(url, options);
  const post = createHttpPost(
    { lookup: createGuardedLookup(createSharedLookup(lookup), options) },
    { url, connections: options.connections },
  );

  function resultOf({ status, retryAfter }: HttpResponse): AttemptResult {
    if (status >= 200 && status < 300) {
      return { ok: true, status };
    }
    const retryAfterMs = parseRetryAfter(retryAfter, now());
    return {
      ok: false,
      reason: "status",
      status,
      gone: status === 410,
      ...(retryAfterMs === null ? {} : { retryAfterMs }),
    };
  }

  return {
    place: url.origin,
    async send({ id, contentType, body, headers: own }, signal) {
      try {
        if (refused !== null) {
          throw new AddressRefused(refused);
        }
        const timestamp = Math.floor(now() / 1000);
        const headers: Record<string, string> = {
          ...own,
          "content-type": contentType,
          "user-agent": userAgent,
          "webhook-id": id,
          "webhook-timestamp": String(timestamp),
        };
        if (key !== null) {
          const signature = standardSignature(key, id, timestamp, body);
          headers["webhook-signature"] = signature;
        }
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

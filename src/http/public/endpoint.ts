import type { IncomingMessage } from "node:http";
import { parseContentType } from "../../domain/media-type.ts";
import { createNetworks } from "../../domain/networks.ts";
import type { MediaType } from "../../domain/scheme.ts";
import type { Source } from "../../domain/source.ts";
import {
  signatureHeadersOf,
  singleHeadersOf,
} from "../../signature/compiled-scheme.ts";
import { mediaOf, methodsOf } from "../../signature/handshakes.ts";
import { createStoredHeaders } from "./stored-headers.ts";

/** A source, with everything about its requests that does not depend on a request. */
export interface Endpoint {
  readonly source: Source;
  /** The value of `Allow`: the methods that the source accepts. */
  readonly allow: string;
  readonly allowsMethod: (method: string) => boolean;
  readonly allowsAddress: (address: string) => boolean;
  readonly acceptsContentType: (contentType: string | undefined) => boolean;
  /** Returns the name of a header that the scheme reads and that a request repeats, or null. */
  readonly repeatedHeader: (req: IncomingMessage) => string | null;
  /** Returns the headers to store with an event, as JSON. `traceparent` replaces the sender's; null keeps it. */
  readonly storedHeaders: (
    req: IncomingMessage,
    traceparent: string | null,
  ) => string;
}

const endpoints = new WeakMap<Source, Endpoint>();

/** Returns the endpoint of a source. It is created once for each configuration of the source. */
export function endpointOf(source: Source): Endpoint {
  let endpoint = endpoints.get(source);
  if (endpoint === undefined) {
    endpoint = createEndpoint(source);
    endpoints.set(source, endpoint);
  }
  return endpoint;
}

function createEndpoint(source: Source): Endpoint {
  const { scheme, allowFrom, mediaTypes } = source;
  const methods = methodsOf(scheme);
  return {
    source,
    allow: methods.join(", "),
    allowsMethod: (method) => methods.includes(method),
    allowsAddress: allowFrom === null ? () => true : createNetworks(allowFrom),
    acceptsContentType: contentTypeFilter(mediaOf(scheme), mediaTypes),
    repeatedHeader: repetitionFinder(singleHeadersOf(scheme)),
    storedHeaders: createStoredHeaders(signatureHeadersOf(scheme)),
  };
}

/**
 * Returns a function that returns whether a Content-Type is accepted. `mediaTypes`: exact types or `type/*` in lower case, instead of
 * the scheme's. JSON and forms must be in UTF-8.
 */
function contentTypeFilter(
  media: readonly MediaType[],
  mediaTypes: readonly string[] | null,
): (contentType: string | undefined) => boolean {
  if (mediaTypes === null) {
    return (contentType) => {
      const { kind } = parseContentType(contentType);
      return (media as readonly string[]).includes(kind);
    };
  }
  const accepted = new Set(mediaTypes);
  return (contentType) => {
    const { name, kind } = parseContentType(contentType);
    const range = `${name.slice(0, name.indexOf("/"))}/*`;
    return kind !== "unreadable" && (accepted.has(name) || accepted.has(range));
  };
}

/**
 * Returns a function that finds a header of the list that a request repeats. It reads the raw headers, because Node joins or
 * drops repeated headers depending on their name.
 */
function repetitionFinder(
  singleHeaders: readonly string[],
): (req: IncomingMessage) => string | null {
  const singles = new Set(singleHeaders);
  return ({ headers, rawHeaders }) => {
    // Most requests repeat no header at all: they have as many names as lines.
    if (Object.keys(headers).length * 2 === rawHeaders.length) {
      return null;
    }
    const seen = new Set<string>();
    for (let i = 0; i < rawHeaders.length; i += 2) {
      const name = rawHeaders[i]?.toLowerCase() ?? "";
      if (seen.has(name)) {
        return name;
      }
      if (singles.has(name)) {
        seen.add(name);
      }
    }
    return null;
  };
}

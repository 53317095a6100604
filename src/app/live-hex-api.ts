import type { HexApiConfig } from "../config/hex-api.ts";
import type { Track } from "../audit/sinks/analytics-sink.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { HexApi } from "../domain/model.ts";
import { createCallSummary } from "../hex-api/call-summary.ts";
import type { HexClientOptions } from "../hex-api/hex-call.ts";
import { HexReader } from "../hex-api/hex-reader.ts";
import { HexWriter } from "../hex-api/hex-writer.ts";

type Append = (entry: AuditDraft) => Promise<void>;

export interface HexClientDeps {
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly version: string;
}

/** What clients of the configured Hex API have in common. */
export function hexClientOptions(
  config: HexApiConfig,
  deps: HexClientDeps & { readonly append: Append },
): HexClientOptions {
  const { append, fetch, now, random, version } = deps;
  return {
    apiUrl: config.apiUrl,
    scopes: config,
    audit: append,
    userAgent: `Hexhook/${version}`,
    fetch,
    now,
    random,
  };
}

/** The configured Hex API for as long as the service runs: each call goes by what is configured at the moment. */
export interface LiveHexApi {
  /** A reader and a writer whose entries go to `append`, for handlers. */
  readonly clients: (append: Append) => () => HexApi;
  /** Sends audit entries: tried again by the sink itself, and audited in sum, since each entry would make another call. */
  readonly createTrack: (append: Append) => Track;
  readonly reload: (config: HexApiConfig) => void;
}

export function createLiveHexApi(
  initial: HexApiConfig,
  deps: HexClientDeps,
): LiveHexApi {
  let config = initial;

  /** What `make` makes of the configuration, made again when that is another one. */
  function current<T>(make: (config: HexApiConfig) => T): () => T {
    let of: HexApiConfig | null = null;
    let made: T;
    return () => {
      if (of !== config) {
        made = make(config);
        of = config;
      }
      return made;
    };
  }

  return {
    clients: (append) =>
      current((present) => {
        const options = hexClientOptions(present, { ...deps, append });
        const readKey = present.readKey?.value ?? null;
        const writeKey = present.writeKey?.value ?? null;
        return Object.freeze({
          reader: new HexReader({ ...options, readKey }),
          writer: new HexWriter({ ...options, writeKey }),
        });
      }),
    createTrack(append) {
      const writer = current(
        (present) =>
          new HexWriter({
            ...hexClientOptions(present, { ...deps, append }),
            audit: createCallSummary(append),
            userId: "system",
            retryWaitsMs: [],
            writeKey: present.writeKey?.value ?? null,
          }),
      );
      return (event, properties, options) =>
        writer().track(event, properties, options);
    },
    reload(next) {
      config = next;
    },
  };
}

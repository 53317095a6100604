import type { HexApi } from "../domain/handler.ts";
import type { AuditDraft } from "../audit/entry.ts";
import type { Track } from "../audit/sinks/analytics-sink.ts";
import type { HexApiConfig } from "../config/hex-api.ts";
import { createCallSummary } from "../hex-api/call-summary.ts";
import type { HexClientOptions } from "../hex-api/hex-call.ts";
import { HexReader } from "../hex-api/hex-reader.ts";
import { HexWriter } from "../hex-api/hex-writer.ts";

export interface HexClientDeps {
  /** Writes the audit entries of the calls. */
  readonly append: (entry: AuditDraft) => Promise<void>;
  readonly fetch: typeof fetch;
  /** Unix milliseconds. */
  readonly now: () => number;
  /** In [0, 1). */
  readonly random: () => number;
  readonly version: string;
  /** Of one try of a call, in milliseconds; that of the client when left out. */
  readonly hexTimeoutMs?: number;
}

/** What clients of the configured Hex API have in common. */
export function hexClientOptions(
  config: HexApiConfig,
  { append, fetch, now, random, version, hexTimeoutMs }: HexClientDeps,
): HexClientOptions {
  return {
    apiUrl: config.apiUrl,
    scopes: config,
    audit: append,
    userAgent: `Hexhook/${version}`,
    fetch,
    now,
    random,
    ...(hexTimeoutMs === undefined ? {} : { timeoutMs: hexTimeoutMs }),
  };
}

/** The reader and the writer of handlers, as they are configured at the time of the call. */
export function createHandlerHexApi(
  current: () => HexApiConfig,
  deps: HexClientDeps,
): () => HexApi {
  return perConfig(current, (config) => {
    const options = hexClientOptions(config, deps);
    const readKey = config.readKey?.value ?? null;
    const writeKey = config.writeKey?.value ?? null;
    return Object.freeze({
      reader: new HexReader({ ...options, readKey }),
      writer: new HexWriter({ ...options, writeKey }),
    });
  });
}

/**
 * Sends audit entries to Hex analytics. Does not retry: the sink does. Its calls are audited in sum, because an entry for
 * each would make another call.
 */
export function createTrack(
  current: () => HexApiConfig,
  deps: HexClientDeps,
): Track {
  const writer = perConfig(
    current,
    (config) =>
      new HexWriter({
        ...hexClientOptions(config, deps),
        audit: createCallSummary(deps.append),
        userId: "system",
        retryWaitsMs: [],
        writeKey: config.writeKey?.value ?? null,
      }),
  );
  return (event, properties, options) =>
    writer().track(event, properties, options);
}

/** Makes a value of the configuration, again when that has changed. */
function perConfig<T>(
  current: () => HexApiConfig,
  make: (config: HexApiConfig) => T,
): () => T {
  let madeOf: HexApiConfig | null = null;
  let made: T;
  return () => {
    const config = current();
    if (madeOf !== config) {
      made = make(config);
      madeOf = config;
    }
    return made;
  };
}

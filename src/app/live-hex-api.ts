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
  /** Time limit of one attempt, in milliseconds. Default: that of the client. */
  readonly hexTimeoutMs?: number;
}

/** Returns the options that all clients of the configured Hex API share. */
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

/** Creates the reader and the writer for handlers. Each call uses the configuration at that time. */
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
 * Creates the function that sends audit entries to Hex analytics. It does not retry, because the sink does. Its calls are
 * summarised in few audit entries, because an entry for each call would cause another call.
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

/** Returns a function that creates a value from the configuration, and creates it again after the configuration has changed. */
function perConfig<T>(
  current: () => HexApiConfig,
  make: (config: HexApiConfig) => T,
): () => T {
  let usedConfig: HexApiConfig | null = null;
  let value: T;
  return () => {
    const config = current();
    if (usedConfig !== config) {
      value = make(config);
      usedConfig = config;
    }
    return value;
  };
}

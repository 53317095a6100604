import { randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import { Writable } from "node:stream";
import { type ServiceDeps, startService } from "../../src/app/service.ts";
import { type Environment, loadConfig } from "../../src/config/load-config.ts";
import { createHandlerCalls } from "../../src/delivery/handler/handler-calls.ts";
import type { StoreError } from "../../src/errors.ts";
import { createLogger } from "../../src/telemetry/logger.ts";
import { operationalLog } from "../../src/telemetry/operational-log.ts";
import { createTelemetry } from "../../src/telemetry/telemetry.ts";
import { PLAIN_DISPLAY } from "../../src/terminal/display.ts";
import { cleanUp } from "./cleanup.ts";
import { SECRET, signed, TODAY } from "./fixtures.ts";
import { readTrail } from "./read-trail.ts";
import { storeEnvironment, storeFileIn } from "./service-store.ts";

/** A stream that keeps everything that was written to it, as text. */
export class Sink extends Writable {
  text = "";
  override _write(
    chunk: Buffer,
    _encoding: string,
    callback: () => void,
  ): void {
    this.text += chunk.toString("utf8");
    callback();
  }
}

export interface SentHeaders {
  readonly [name: string]: string;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  readonly json: Record<string, unknown>;
}

export type TestService = Awaited<ReturnType<typeof startTestService>>;

/** Starts a real service in this process, on a free port and with a real store. It is stopped when the test ends. */
export async function startTestService(
  folder: string,
  options: { env?: Environment; deps?: Partial<ServiceDeps> } = {},
) {
  const config = loadConfig({
    HEX_SECRET: SECRET,
    HEX_SECRET_CREATED_AT: TODAY,
    HOST: "127.0.0.1",
    PORT: "0",
    ADMIN_PORT: "0",
    DRAIN_SECONDS: "0",
    DATABASE_URL: `sqlite:${storeFileIn(folder)}`,
    ...(await storeEnvironment(folder)),
    ...options.env,
  });
  const stdout = new Sink();
  const log = new Sink();
  const fatal: StoreError[] = [];
  const logger = createLogger(config.logLevel, log);
  const service = await startService(config, {
    logger,
    emit: createTelemetry([operationalLog(logger)]),
    handlerCalls: createHandlerCalls(() => performance.now()),
    stdout,
    stdoutDisplay: PLAIN_DISPLAY,
    now: Date.now,
    // A test that sets `now` sets both clocks, unless it also sets `monotonic`.
    monotonic: options.deps?.now ?? (() => performance.now()),
    random: Math.random,
    randomHex: (bytes) => randomBytes(bytes).toString("hex"),
    lookup,
    fetch,
    descriptorLimit: () => 20_000,
    version: "0.0.0-test",
    onFatal: (error) => {
      fatal.push(error);
    },
    ...options.deps,
  });
  const stop = (): Promise<void> => service.stop("test");
  cleanUp(stop);
  const url = `http://127.0.0.1:${service.port}`;

  async function request(
    target: string,
    init: RequestInit = {},
  ): Promise<Answer> {
    const response = await fetch(`${url}${target}`, init);
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text === "" ? {} : (JSON.parse(text) as Record<string, unknown>),
    };
  }

  return {
    ...service,
    url,
    config,
    stdout,
    log,
    fatal,
    request,
    post: (
      body: Buffer,
      headers: SentHeaders = signed(body),
      target = "/webhooks/hex",
    ) =>
      request(target, {
        method: "POST",
        headers,
        body: new Uint8Array(body),
      }),
    entries: () => readTrail(config.databaseUrl),
    lastEntry: async () => (await readTrail(config.databaseUrl)).at(-1),
    stop,
  };
}

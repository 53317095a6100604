import { generateKeyPairSync, randomBytes } from "node:crypto";
import { lookup } from "node:dns";
import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { Writable } from "node:stream";
import { setTimeout as delay } from "node:timers/promises";
import { pino } from "pino";
import { type ParsedEntry, parseEntry } from "../src/audit/parsed-entry.ts";
import { createTrailVerifier } from "../src/audit/verify/verify-trail.ts";
import { rowsOf } from "../src/cli/store/reader.ts";
import { type Environment, loadConfig } from "../src/config/load-config.ts";
import { createCheckpoints } from "../src/audit/checkpoint.ts";
import type { StoreError } from "../src/errors.ts";
import { type ServiceDeps, startService } from "../src/app/service.ts";
import { SCHEMES, type SchemeName } from "../src/signature/scheme.ts";
import { signHeaders } from "../src/signature/sign.ts";
import { openStoreReader } from "../src/store/open.ts";
import type { StoreUrl } from "../src/store/url.ts";
import { operationalLog } from "../src/telemetry/operational-log.ts";
import { createTelemetry } from "../src/telemetry/telemetry.ts";

export const SECRET = "test-signing-secret-0123456789abcdef";
/** What signs the checkpoints of trails that tests make themselves. */
export const SIGNING_KEY = generateKeyPairSync("ed25519").privateKey;
export const CHECKPOINTS = createCheckpoints(SIGNING_KEY);
/** What a record tells of the request that brought it, where a test has none. */
export const WEBHOOK_REQUEST = {
  requestId: "r-1",
  source: "hex",
  scheme: "hex",
  ip: "127.0.0.1",
  resource: "/webhooks/hex",
  keyId: "0123456789abcdef",
  skewSeconds: 0,
};
/** When they were made: a secret whose age nobody knows is overdue, and has an entry. */
export const TODAY = new Date().toISOString();
export const OTHER_SECRET = "another-signing-secret-0123456789ab";

/** A folder of its own for each test file, gone afterwards. */
export function temporaryFolder(): { path: string; remove(): void } {
  const folder = mkdtempSync(path.join(tmpdir(), "hexhook-test-"));
  return {
    path: folder,
    remove: () => {
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Numbers in [0, 1) that follow from the seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Waits until `condition` gives something true, and gives it back. */
export async function eventually<T>(
  condition: () => T | Promise<T>,
  timeoutMs = 60_000,
): Promise<NonNullable<T>> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await condition();
    if (value) {
      return value;
    }
    if (Date.now() > deadline) {
      throw new Error(`it did not come to pass: ${condition.toString()}`);
    }
    await delay(10);
  }
}

/** Everything that was written to it, as text. */
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

/** An event body as a sender makes it. */
export function eventBody(id: string, type = "resource.created"): Buffer {
  return Buffer.from(JSON.stringify({ id, type, data: { n: 1 } }));
}

/** The headers of a genuine delivery. */
export function signed(
  body: Buffer,
  options: { secret?: string; at?: number; scheme?: SchemeName } = {},
): Record<string, string> {
  const { secret = SECRET, at = Date.now(), scheme = "hex" } = options;
  return {
    "content-type": "application/json",
    ...signHeaders(
      SCHEMES[scheme],
      Buffer.from(secret),
      body,
      Math.floor(at / 1000),
    ),
  };
}

/** Where a store in this file is. */
export function sqliteUrl(file: string): StoreUrl {
  return { driver: "sqlite", file };
}

export type TestService = Awaited<ReturnType<typeof startTestService>>;

/** A real service on a free port, with a real SQLite file, in this process. */
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
    DATABASE_URL: `sqlite:${path.join(folder, "hexhook.db")}`,
    ...options.env,
  });
  const stdout = new Sink();
  const log = new Sink();
  const fatal: StoreError[] = [];
  const logger = pino({ level: config.logLevel }, log);
  const service = await startService(config, {
    logger,
    emit: createTelemetry([operationalLog(logger)]),
    stdout,
    now: Date.now,
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
    entries: () => readTrail(config.databaseUrl.file),
    lastEntry: async () => (await readTrail(config.databaseUrl.file)).at(-1),
    stop: () => service.stop("test"),
  };
}

/** All entries of a store's trail, in order; throws when its chain is not intact. */
export async function readTrail(file: string): Promise<ParsedEntry[]> {
  const trail = openStoreReader(sqliteUrl(file), { snapshot: true });
  try {
    const heads = await trail.heads();
    const verifier = createTrailVerifier();
    const entries: ParsedEntry[] = [];
    for await (const { line } of rowsOf(trail)) {
      verifier.entry(line);
      const entry = parseEntry(line);
      if (entry === null) {
        throw new Error(`not an entry: ${line}`);
      }
      entries.push(entry);
    }
    const faults = verifier
      .finish(heads)
      .writers.flatMap(({ fault }) => fault ?? []);
    if (faults.length > 0) {
      throw new Error(`the trail is not intact: ${JSON.stringify(faults)}`);
    }
    return entries;
  } finally {
    await trail.close();
  }
}

/** How many entries were suppressed, by reason. */
export function suppressedIn(
  entries: readonly ParsedEntry[],
): Record<string, number> {
  const sums: Record<string, number> = {};
  for (const { action, metadata } of entries) {
    if (action === "audit.suppressed") {
      const reasons = Object.entries(metadata["reasons"] as object);
      for (const [reason, count] of reasons) {
        sums[reason] = (sums[reason] ?? 0) + Number(count);
      }
    }
  }
  return sums;
}

/** What a raw connection got back until the other side closed it, or until `enough` says so. */
export function exchangeRaw(
  port: number,
  bytes: string | Buffer | readonly (string | Buffer)[],
  enough: (text: string) => boolean = () => false,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    let text = "";
    const end = (): void => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(15_000, () => {
      socket.destroy();
      reject(new Error(`no end in sight; so far: ${text}`));
    });
    socket.on("connect", () => {
      const parts =
        typeof bytes === "string" || Buffer.isBuffer(bytes) ? [bytes] : bytes;
      for (const part of parts) {
        socket.write(part);
      }
    });
    socket.on("data", (chunk) => {
      text += chunk.toString("latin1");
      if (enough(text)) {
        end();
      }
    });
    socket.on("end", end);
    socket.on("close", end);
    socket.on("error", (error: NodeJS.ErrnoException) => {
      if (error.code === "ECONNRESET" || error.code === "EPIPE") {
        end();
      } else {
        reject(error);
      }
    });
  });
}

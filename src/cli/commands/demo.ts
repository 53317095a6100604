import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Writable } from "node:stream";
import type { Command } from "commander";
import { unlessAborted } from "../../background/unless-aborted.ts";
import { parseEntry } from "../../audit/parsed-entry.ts";
import { formatEntry } from "../../audit/format-entry.ts";
import { displayOf, PLAIN_DISPLAY } from "../../terminal/display.ts";
import { createTrailVerifier } from "../../audit/verify/verify-trail.ts";
import { loadConfig } from "../../config/load-config.ts";
import type { AuditReader } from "../../store/port.ts";
import { EXIT } from "../../errors.ts";
import type { Service } from "../../app/service.ts";
import { createHandlerCalls } from "../../delivery/handler/handler-calls.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { operationalLog } from "../../telemetry/operational-log.ts";
import { createTelemetry } from "../../telemetry/telemetry.ts";
import { openStoreReader } from "../../store/open.ts";
import { PROGRAM_FOLDER } from "../../program-folder.ts";
import { VERSION } from "../../version.ts";
import { parsePort } from "../options/parse.ts";
import {
  type DeliveryResponse,
  send,
  signDelivery,
  verdictOf,
} from "../send/sender.ts";
import { tamper } from "../send/tamper.ts";
import { logStyle } from "../log-style.ts";
import { onSignal } from "../on-signal.ts";
import { SYSTEM } from "../system.ts";
import { rowsOf } from "../store/reader.ts";
import { until } from "../until.ts";
import { type Io, writeLine } from "../io.ts";
import { note } from "../ui/print.ts";

const STALE_MS = 3_600_000;

export function addDemo(program: Command, io: Io): void {
  program
    .command("demo")
    .description(
      "show the receiver at work: good and bad deliveries, and the audit trail",
    )
    .option("--keep", "keep the service running until Ctrl-C")
    .option(
      "--port <port>",
      "listen on this port (default: a free one)",
      parsePort,
    )
    .action(async (options: { keep?: true; port?: number }) => {
      const passed = await runDemo(io, options);
      io.setExitCode(passed ? EXIT.good : EXIT.checkFailed);
    });
}

/** Prints a step of the demo and whether it `passed`. `found` is the result as text. */
type Check = (step: string, passed: boolean, found: string) => void;

async function runDemo(
  io: Io,
  options: { keep?: true; port?: number },
): Promise<boolean> {
  const interrupt = new AbortController();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    onSignal(io.signals, signal, () => {
      interrupt.abort(signal);
    });
  }
  const folder = mkdtempSync(path.join(tmpdir(), "hexhook-demo-"));
  try {
    return await demonstrate(io, options, folder, interrupt.signal);
  } catch (error) {
    if (interrupt.signal.aborted) {
      note(io, "interrupted; nothing is left running");
      return false;
    }
    throw error;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function demonstrate(
  io: Io,
  options: { keep?: true; port?: number },
  folder: string,
  interrupted: AbortSignal,
): Promise<boolean> {
  const secret = randomBytes(32).toString("hex");
  const env = {
    HEX_SECRET: secret,
    HEX_SECRET_CREATED_AT: new Date().toISOString(),
    HOST: "127.0.0.1",
    PORT: String(options.port ?? 0),
    ADMIN_PORT: "0",
    DATABASE_URL: `sqlite:${path.join(folder, "hexhook.db")}`,
    DRAIN_SECONDS: "0",
    LOG_LEVEL: "warn",
  };
  const config = loadConfig(env);
  const logger = createLogger(config.logLevel, io.stderr, logStyle(config, io));
  const auditOutput = collectLines();
  // Imported here: other commands start faster without Express.
  const { startService } = await import("../../app/service.ts");
  const service = await startService(config, {
    logger,
    emit: createTelemetry([operationalLog(logger)]),
    handlerCalls: createHandlerCalls(() => performance.now()),
    stdout: auditOutput.stream,
    stdoutDisplay: PLAIN_DISPLAY,
    ...SYSTEM,
    stopRequest: interrupted,
    onFatal: (error) => {
      throw error;
    },
  });
  const trail = await openStoreReader(config.databaseUrl);
  const failed: string[] = [];
  const check: Check = (step, passed, found) => {
    if (interrupted.aborted && !options.keep) {
      return;
    }
    if (!passed) {
      failed.push(step);
    }
    writeLine(
      io.stdout,
      `  ${passed ? "ok  " : "FAIL"} ${step.padEnd(46)} ${found}`,
    );
  };
  try {
    try {
      writeLine(
        io.stdout,
        `\nHexhook ${VERSION} listens on http://127.0.0.1:${service.port}/webhooks/hex`,
      );
      writeLine(
        io.stdout,
        `with a generated secret and a store in ${folder}\n`,
      );
      await unlessAborted(
        sendDeliveries(io, config, service, check),
        interrupted,
      );
      await unlessAborted(showHandler(io, trail, check), interrupted);
      if (options.keep) {
        await stayUntilStopped(io, service, { secret, interrupted });
      }
    } finally {
      await service.stop("demo");
    }
    await showTrail(io, trail, auditOutput.lines, check);
  } finally {
    await trail.close();
  }
  const passed = failed.length === 0;
  writeLine(
    io.stdout,
    passed
      ? nextSteps()
      : "\nSome steps failed: see the lines with FAIL above.",
  );
  return passed;
}

async function sendDeliveries(
  io: Io,
  config: ReturnType<typeof loadConfig>,
  service: Service,
  check: Check,
): Promise<void> {
  const [source] = config.sources;
  if (source === undefined) {
    throw new TypeError("the demo has no source");
  }
  const url = `http://127.0.0.1:${service.port}/webhooks/hex`;
  const body = Buffer.from(
    JSON.stringify({
      id: "evt_demo_1",
      type: "resource.created",
      data: { name: "first resource" },
    }),
  );
  const message = {
    body,
    contentType: "application/json",
    id: null,
    type: null,
  };
  const now = Date.now();
  const signAt = (at: number, by = source) =>
    signDelivery(by, message, { at, url });
  const valid = signAt(now);
  const expect = async (
    step: string,
    delivery: typeof valid,
    status: number,
    verdict: string,
  ): Promise<void> => {
    const response: DeliveryResponse = await send(delivery);
    const found = `${response.status} ${verdictOf(response)}`;
    check(step, found === `${status} ${verdict}`, found);
  };

  writeLine(io.stdout, "Deliveries sent over HTTP, and their responses:");
  await expect(
    "forged: the body changed after signing",
    tamper(source.scheme, valid, "body"),
    401,
    "unauthorized",
  );
  await expect(
    "forged: signed with another secret",
    signAt(now, {
      ...source,
      secrets: source.secrets.map((configured) => ({
        ...configured,
        key: randomBytes(32),
      })),
    }),
    401,
    "unauthorized",
  );
  await expect(
    "stale: signed correctly, but an hour ago",
    signAt(now - STALE_MS),
    401,
    "unauthorized",
  );
  await expect("valid", valid, 200, "accepted");
  await expect("replayed: the same request again", valid, 409, "replayed");
  await expect(
    "re-signed: the sender retries",
    signAt(now + 1000),
    200,
    "duplicate",
  );
}

/** Checks that the handler ran once. The forged deliveries were sent first, so this run was for the valid delivery. */
async function showHandler(
  io: Io,
  trail: AuditReader,
  check: Check,
): Promise<void> {
  const handled = async (): Promise<number> =>
    (await entriesOf(trail)).filter(
      ({ action }) => action === "delivery.succeeded",
    ).length;
  const ran = await until(async () => (await handled()) > 0);
  writeLine(io.stdout, "\nThe built-in handler:");
  check(
    "ran once, for the valid delivery only",
    ran && (await handled()) === 1,
    `${await handled()} run(s)`,
  );
}

async function entriesOf(trail: AuditReader) {
  const entries = [];
  for await (const { line } of rowsOf(trail)) {
    const entry = parseEntry(line);
    if (entry !== null) {
      entries.push(entry);
    }
  }
  return entries;
}

async function showTrail(
  io: Io,
  trail: AuditReader,
  printed: readonly string[],
  check: Check,
): Promise<void> {
  writeLine(io.stdout, "\nThe audit trail, as `hexhook audit tail` shows it:");
  const { colours, width } = displayOf(io.stdout, io.env);
  for (const entry of await entriesOf(trail)) {
    writeLine(io.stdout, formatEntry(entry, { colours, width: width() }));
  }
  writeLine(io.stdout, "\nIts chain, as `hexhook audit verify` checks it:");
  const verifier = createTrailVerifier();
  const stored: string[] = [];
  for await (const { line } of rowsOf(trail)) {
    verifier.entry(line);
    stored.push(`[AUDIT] ${line}`);
  }
  const heads = await trail.heads();
  const { entries, writers } = verifier.finish(heads);
  const broken = writers.filter(({ fault }) => fault !== null).length;
  const unsigned = writers.filter(
    ({ anchoredTo, lastSeq }) => anchoredTo < lastSeq,
  );
  check(
    "intact from the first entry to the last",
    broken === 0 && entries > 0,
    `${entries} entries`,
  );
  check(
    "signed to its end by a checkpoint",
    unsigned.length === 0,
    `seq ${writers.map(({ anchoredTo }) => anchoredTo).join(", ")}`,
  );
  check(
    "every entry was printed on stdout, in order",
    printed.join("\n") === stored.join("\n"),
    `${printed.length} lines`,
  );
}

/** Collects the audit trail that the service prints, since stdout shows the steps of the demo. */
function collectLines(): { stream: Writable; lines: string[] } {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      lines.push(...chunk.toString("utf8").trimEnd().split("\n"));
      callback();
    },
  });
  return { stream, lines };
}

async function stayUntilStopped(
  io: Io,
  service: Service,
  { secret, interrupted }: { secret: string; interrupted: AbortSignal },
): Promise<void> {
  writeLine(
    io.stdout,
    `
The service runs until Ctrl-C. In another terminal:
  HEX_SECRET=${secret} npx hexhook send --url http://127.0.0.1:${service.port}`,
  );
  if (!interrupted.aborted) {
    await once(interrupted, "abort");
  }
}

/** In a checkout, users edit the handlers in place; with an installed package they write their own module. */
function nextSteps(): string {
  const root = fileURLToPath(new URL("..", PROGRAM_FOLDER));
  const isCheckout = existsSync(path.join(root, "src"));
  const example = path.relative("", path.join(root, ".env.example"));
  return `
Everything worked as expected. Next steps:
  1. cp ${example} .env
     In this file, set HEX_SECRET (npx hexhook secrets generate prints one),
     and set HEX_SECRET_CREATED_AT to the date when it was created.
  2. ${isCheckout ? "npm start        " : "npx hexhook serve"}             the service
  3. npx hexhook send              a signed test delivery
  4. npx hexhook audit tail -f     the audit trail, as it grows
  5. ${isCheckout ? "edit src/handlers/index.ts   " : "set HANDLERS=./handlers.mjs  "} the handlers of your events
`;
}

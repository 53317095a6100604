import type { Command } from "commander";
import type { Logger } from "pino";
import {
  type Config,
  loadConfig,
  readEnvironment,
} from "../../config/load-config.ts";
import { asError, EXIT, type ExitCode } from "../../errors.ts";
import { createLogger } from "../../telemetry/logger.ts";
import type { Service } from "../../app/service.ts";
import { unblocked } from "../ui/output.ts";
import { SYSTEM } from "../system.ts";

/** A signal sent to a process and to its group arrives twice at once, and is one wish to stop. */
const SAME_SIGNAL_MS = 100;

export function addServe(program: Command): void {
  program.command("serve").description("run the service").action(serve);
}

async function serve(): Promise<void> {
  // Events and keys are nobody else's business: what is made here is readable by this user alone.
  process.umask(0o077);
  const config = loadConfig(readEnvironment());
  const logger = createLogger(config.logLevel, unblocked(process.stderr));
  for (const warning of config.warnings) {
    logger.warn(warning);
  }
  process.on("uncaughtException", (thrown) => {
    die(logger, asError(thrown), "uncaught exception");
  });
  process.on("unhandledRejection", (thrown) => {
    die(logger, asError(thrown), "unhandled rejection");
  });
  // Loaded here, since the other commands are quicker without Express and all that belongs to it.
  const { startService } = await import("../../app/service.ts");
  const starting = startService(config, {
    logger,
    stdout: unblocked(process.stdout),
    ...SYSTEM,
    readConfig: () => loadConfig(readEnvironment()),
    onFatal: (error) => {
      die(logger, error, "the store failed");
    },
  });
  // During the start already: a signal that comes then must not end the process.
  process.on("SIGHUP", () => {
    logger.info("SIGHUP: the configuration is read again");
    starting
      .then((service) => service.reload())
      .catch((thrown: unknown) => {
        logger.error({ error: asError(thrown).message }, "the reload failed");
      });
  });
  const service = await starting;
  announce(logger, config, service);
  stopOnSignals(logger, service);
}

function announce(
  logger: Logger,
  { host, publicUrl, adminHost, adminToken, sources }: Config,
  { port, adminPort }: Service,
): void {
  const api = adminPort !== null && adminToken !== null;
  logger.info({ host, port, adminHost, adminPort, api }, "ready");
  const base = publicUrl ?? `http://localhost:${port}`;
  for (const { name } of sources) {
    const endpoint = new URL(`/webhooks/${name}`, base).href;
    logger.info(
      { source: name, endpoint },
      publicUrl === null
        ? "endpoint (set PUBLIC_URL to the address that senders reach)"
        : "endpoint: register this URL in the Hex dashboard",
    );
  }
}

function stopOnSignals(logger: Logger, service: Service): void {
  let stoppingSince: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) {
        process.exit(EXIT.checkFailed);
      }
      return;
    }
    stoppingSince = performance.now();
    logger.info({ signal }, "stopping");
    service.stop(signal).then(
      () => {
        logger.info("stopped");
        end(logger, EXIT.good);
      },
      (error: unknown) => {
        die(logger, asError(error), "the stop failed");
      },
    );
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

function die(logger: Logger, { message, stack }: Error, what: string): void {
  logger.fatal({ error: message, stack }, what);
  // The answers that are on their way get out first.
  setImmediate(end, logger, EXIT.internal);
}

function end(logger: Logger, code: ExitCode): void {
  logger.flush(() => process.exit(code));
}

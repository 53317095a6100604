import { randomBytes } from "node:crypto";
import { type Command } from "commander";
import { type Config, loadConfig, readEnvironment } from "../config.ts";
import { asError, EXIT } from "../errors.ts";
import { createLogger } from "../logger.ts";
import { type Service, startService } from "../service.ts";
import { VERSION } from "../version.ts";

export function addServe(program: Command): void {
  program
    .command("serve")
    .description("run the service")
    .action(async () => {
      // Events and keys are nobody else's business: what is made here is readable by this user alone.
      process.umask(0o077);
      const config = loadConfig(readEnvironment());
      const logger = createLogger(config.logLevel);
      for (const warning of config.warnings) {
        logger.warn(warning);
      }

      const die = (error: Error, what: string): void => {
        logger.fatal({ error: error.message, stack: error.stack }, what);
        process.exitCode = EXIT.internal;
        // The answers that are on their way get out first.
        setImmediate(() => {
          logger.flush(() => process.exit(EXIT.internal));
        });
      };
      process.on("uncaughtException", (thrown) => {
        die(asError(thrown), "uncaught exception");
      });
      process.on("unhandledRejection", (thrown) => {
        die(asError(thrown), "unhandled rejection");
      });

      const service = await startService(config, {
        logger,
        stdout: process.stdout,
        now: Date.now,
        random: Math.random,
        randomHex: (bytes) => randomBytes(bytes).toString("hex"),
        fetch,
        version: VERSION,
        onFatal: (error) => {
          die(error, "the store failed");
        },
      });
      announce(config, service);
      stopOnSignals(service);

      function announce(
        { host, publicUrl, adminHost, sources }: Config,
        { port, adminPort }: Service,
      ): void {
        logger.info({ host, port, adminHost, adminPort }, "ready");
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

      function stopOnSignals(running: Service): void {
        let stopping = false;
        const onSignal = (signal: NodeJS.Signals): void => {
          if (stopping) {
            process.exit(EXIT.checkFailed);
          }
          stopping = true;
          logger.info({ signal }, "stopping");
          running.stop(signal).then(
            () => {
              logger.info("stopped");
              logger.flush(() => process.exit(EXIT.good));
            },
            (error: unknown) => {
              die(asError(error), "the stop failed");
            },
          );
        };
        process.on("SIGTERM", onSignal);
        process.on("SIGINT", onSignal);
      }
    });
}

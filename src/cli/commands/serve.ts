import type { Command } from "commander";
import {
  type Config,
  loadConfig,
  readEnvironment,
} from "../../config/load-config.ts";
import {
  createHandlerCalls,
  type UncaughtKind,
} from "../../delivery/handler/handler-calls.ts";
import { createLateErrors } from "../../delivery/handler/late-errors.ts";
import { EXIT, type ExitCode } from "../../errors.ts";
import type { Emit, Happening } from "../../telemetry/happening.ts";
import { createLogger } from "../../telemetry/logger.ts";
import { operationalLog } from "../../telemetry/operational-log.ts";
import { createTelemetry } from "../../telemetry/telemetry.ts";
import { endStoreThreads, openStoreOnThreads } from "../../store/open.ts";
import type { Service } from "../../app/service.ts";
import { unblocked } from "../ui/output.ts";
import { SYSTEM } from "../system.ts";
import type { Io } from "../io.ts";

/** A signal sent to a process and to its group arrives twice at once, and is one request to stop. */
const SAME_SIGNAL_MS = 100;

export function addServe(program: Command, io: Io): void {
  program
    .command("serve")
    .description("run the service")
    .action(() => serve(io));
}

async function serve(io: Io): Promise<void> {
  // Events and keys are private: files are made readable by this user alone.
  process.umask(0o077);
  const config = loadConfig(readEnvironment(io.env));
  const logger = createLogger(config.logLevel, unblocked(process.stderr));
  const emit = createTelemetry([operationalLog(logger)]);
  const end = (code: ExitCode): void => {
    logger.flush(() => {
      void exit(code);
    });
  };
  const crash: Crash = (cause, error) => {
    emit({ type: "service.crashed", cause, error });
    // Responses that were begun are sent first.
    setImmediate(end, EXIT.internal);
  };
  for (const warning of config.warnings) {
    emit({ type: "config.warning", warning });
  }
  const handlerCalls = createHandlerCalls(() => performance.now());
  const isLateError = createLateErrors({ calls: handlerCalls, emit });
  const onUncaught = (kind: UncaughtKind, thrown: unknown): void => {
    if (!isLateError({ thrown, kind })) {
      crash(kind, thrown);
    }
  };
  process.on("uncaughtException", (thrown) => {
    onUncaught("uncaught exception", thrown);
  });
  process.on("unhandledRejection", (thrown) => {
    onUncaught("unhandled rejection", thrown);
  });
  // Node warns of these on stderr, which is for lines of JSON; they were logged when they came.
  process.on("rejectionHandled", () => undefined);
  // Loaded here, because other commands start faster without Express and all that belongs to it.
  const { startService } = await import("../../app/service.ts");
  const starting = startService(config, {
    logger,
    emit,
    handlerCalls,
    stdout: unblocked(process.stdout),
    ...SYSTEM,
    openStore: openStoreOnThreads,
    readConfig: () => loadConfig(readEnvironment(io.env)),
    onFatal: (error) => {
      crash("store failed", error);
    },
  });
  // From here on: a signal during the start must not end the process halfway.
  process.on("SIGHUP", () => {
    emit({ type: "reload.requested" });
    starting
      .then((service) => service.reload())
      .catch((error: unknown) => {
        emit({ type: "reload.failed", error });
      });
  });
  stopOnSignals(starting, { emit, crash, end });
  announce(emit, config, await starting);
}

/** Exits at once, but for the calls of SQLite that are in progress. Where one hangs, only a signal ends the process. */
async function exit(code: ExitCode): Promise<void> {
  if (!(await endStoreThreads())) {
    process.kill(process.pid, "SIGKILL");
  }
  process.exit(code);
}

type Crash = (
  cause: Extract<Happening, { type: "service.crashed" }>["cause"],
  error: unknown,
) => void;

function announce(
  emit: Emit,
  { host, publicUrl, adminHost, adminToken, sources }: Config,
  { port, adminPort }: Service,
): void {
  const api = adminPort !== null && adminToken !== null;
  emit({ type: "service.ready", host, port, adminHost, adminPort, api });
  const base = publicUrl ?? `http://localhost:${port}`;
  const isPublic = publicUrl !== null;
  for (const { name: source } of sources) {
    const endpoint = `${base}/webhooks/${source}`;
    emit({ type: "service.endpoint", source, endpoint, isPublic });
  }
}

/** Stops at the first signal, once the start has ended; a second signal exits. A start that fails ends the process itself. */
function stopOnSignals(
  starting: Promise<Service>,
  deps: { emit: Emit; crash: Crash; end: (code: ExitCode) => void },
): void {
  const { emit, crash, end } = deps;
  let stoppingSince: number | null = null;
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stoppingSince !== null) {
      if (performance.now() - stoppingSince > SAME_SIGNAL_MS) {
        void exit(EXIT.checkFailed);
      }
      return;
    }
    stoppingSince = performance.now();
    emit({ type: "service.stopping", signal });
    const stop = async (service: Service): Promise<void> => {
      try {
        await service.stop(signal);
        emit({ type: "service.stopped" });
        end(EXIT.good);
      } catch (error) {
        crash("stop failed", error);
      }
    };
    void starting.then(stop, () => undefined);
  };
  process.on("SIGTERM", onSignal);
  process.on("SIGINT", onSignal);
}

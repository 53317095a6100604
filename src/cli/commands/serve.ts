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
import { listeningText } from "../ui/listening-text.ts";
import { logStyle } from "../log-style.ts";
import { displayOf } from "../../terminal/display.ts";
import { handleServiceSignals } from "../service-signals.ts";
import { SYSTEM } from "../system.ts";
import type { Io } from "../io.ts";

/** In milliseconds. Longer than a thread of the store waits for the lock of another process. */
const LOCK_WAIT_MS = 3000;

export function addServe(program: Command, io: Io): void {
  program
    .command("serve")
    .description("run the service")
    .action(() => serve(io));
}

async function serve(io: Io): Promise<void> {
  // Events and keys are private: only this user may read the files.
  process.umask(0o077);
  const config = loadConfig(readEnvironment(io.env));
  const stderr = unblocked(process.stderr);
  const style = logStyle(config, io);
  const logger = createLogger(config.logLevel, stderr, style);
  const emit = createTelemetry([operationalLog(logger)]);
  const end = (code: ExitCode, withinMs?: number): void => {
    logger.flush(() => {
      void exit(code, withinMs);
    });
  };
  const crash: Crash = (cause, error) => {
    emit({ type: "service.crashed", cause, error });
    // One turn later, so that responses that have begun are sent first.
    setImmediate(() => {
      end(EXIT.internal);
    });
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
  // Without a listener Node prints a warning on stderr, between the log lines. The rejection was logged already.
  process.on("rejectionHandled", () => undefined);
  // Imported here: other commands start faster without Express.
  const { startService } = await import("../../app/service.ts");
  const stopRequest = new AbortController();
  const starting = startService(config, {
    logger,
    emit,
    handlerCalls,
    stdout: unblocked(process.stdout),
    stdoutDisplay: displayOf(io.stdout, io.env),
    ...SYSTEM,
    openStore: openStoreOnThreads,
    stopRequest: stopRequest.signal,
    readConfig: () => loadConfig(readEnvironment(io.env)),
    onFatal: (error) => {
      crash("store failed", error);
    },
  });
  handleServiceSignals(io.signals, starting, {
    emit,
    onStop: (signal) => {
      stopRequest.abort(signal);
      void stop(signal);
    },
    onSecond: () => {
      void exit(EXIT.checkFailed, LOCK_WAIT_MS);
    },
  });

  /** Stops the service. Waits until a startup in progress has stopped, at most SHUTDOWN_SECONDS. */
  async function stop(signal: NodeJS.Signals): Promise<void> {
    const withinMs = config.shutdownSeconds * 1000;
    const late = setTimeout(() => void exit(EXIT.good), withinMs);
    const service = await starting.catch(() => null);
    clearTimeout(late);
    try {
      await service?.stop(signal);
      emit({ type: "service.stopped" });
      end(EXIT.good, service === null ? withinMs : undefined);
    } catch (error) {
      crash("stop failed", error);
    }
  }

  try {
    const service = await starting;
    if (!stopRequest.signal.aborted) {
      if (style.format === "json") {
        announce(emit, config, service);
      } else if (logger.isLevelEnabled("info")) {
        stderr.write(`${listeningText(config, service)}\n`);
      }
    }
  } catch (error) {
    if (!stopRequest.signal.aborted) {
      throw error;
    }
  }
}

/**
 * Waits at most `withinMs` for SQLite calls in progress, and exits. If a call hangs, the process can only be ended by SIGKILL.
 */
async function exit(code: ExitCode, withinMs?: number): Promise<void> {
  if (!(await endStoreThreads(withinMs))) {
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
  { host, adminHost, adminToken, sources }: Config,
  { port, adminPort }: Service,
): void {
  const api = adminPort !== null && adminToken !== null;
  const { pid } = process;
  emit({ type: "service.ready", pid, host, port, adminHost, adminPort, api });
  for (const { name: source, publicUrl, isDisabled } of sources) {
    if (!isDisabled) {
      emit({
        type: "service.endpoint",
        source,
        endpoint: publicUrl ?? `http://localhost:${port}/webhooks/${source}`,
        isPublic: publicUrl !== null,
      });
    }
  }
}

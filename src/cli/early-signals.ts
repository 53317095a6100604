import { constants } from "node:os";
import { EXIT } from "../errors.ts";
import { processIo } from "./process-io.ts";

/** Matches an option of Node that opens the debugger. */
const INSPECT = /--inspect(?:-brk|-wait)?(?:[=\s]|$)/;

/**
 * Listens for signals while the program loads. Without a listener, process 1 of a container would ignore a signal, and a service
 * would end with the wrong exit code. Commands replace these listeners later (`onSignal`).
 */
export function handleEarlySignals(isService: boolean): void {
  const end = (signal: NodeJS.Signals): void => {
    // Nothing needs to be closed: the store is not open yet, or a command only reads it.
    process.exit(isService ? EXIT.good : 128 + constants.signals[signal]);
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  // By default Node opens its debugger at SIGUSR1, and ends at SIGUSR2.
  process.on("SIGUSR1", ignore);
  process.on("SIGUSR2", ignore);
  if (isService) {
    process.on("SIGHUP", ignore);
  }
}

/**
 * Closes the debugger that a SIGUSR1 before `handleEarlySignals` has opened. Node 22 and 24 open it twice, once by an
 * interrupt and once through the event loop. Two turns of the event loop let the second one happen before the debugger is
 * closed.
 */
export async function closeDebugger(): Promise<void> {
  await turnOfEventLoop();
  await turnOfEventLoop();
  const nodeOptions = [
    ...process.execArgv,
    processIo().env["NODE_OPTIONS"] ?? "",
  ];
  if (
    process.features.inspector &&
    !nodeOptions.some((text) => INSPECT.test(text))
  ) {
    const inspector = await import("node:inspector");
    if (inspector.url() !== undefined) {
      inspector.close();
    }
  }
}

function turnOfEventLoop(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

function ignore(): void {
  // The listener alone prevents the default action.
}

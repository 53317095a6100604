import { constants } from "node:os";
import { EXIT } from "../errors.ts";
import { processIo } from "./process-io.ts";

/** A key that opens the inspector: it was asked for. */
const INSPECT = /--inspect(?:-brk|-wait)?(?:[=\s]|$)/;

/**
 * Listens for signals before the program is loaded, which takes a moment: a signal must neither be lost, as it is for process 1
 * of a container, nor end a service with a wrong exit code. What a command does later replaces this (`onSignal`).
 */
export function handleEarlySignals(isService: boolean): void {
  const end = (signal: NodeJS.Signals): void => {
    // Nothing is open yet, or a command only reads.
    process.exit(isService ? EXIT.good : 128 + constants.signals[signal]);
  };
  process.on("SIGTERM", end);
  process.on("SIGINT", end);
  // Node opens its debugger at the one, and ends at the other.
  process.on("SIGUSR1", ignore);
  process.on("SIGUSR2", ignore);
  if (isService) {
    process.on("SIGHUP", ignore);
  }
}

/**
 * Closes the debugger that a SIGUSR1 before `handleEarlySignals` has opened. Node 22 and 24 request it twice, once by an
 * interrupt and once through the event loop: a debugger that was closed in between is opened again. Two turns let the
 * second request through.
 */
export async function closeDebugger(): Promise<void> {
  await turnOfEventLoop();
  await turnOfEventLoop();
  const asked = [...process.execArgv, processIo().env["NODE_OPTIONS"] ?? ""];
  if (process.features.inspector && !asked.some((text) => INSPECT.test(text))) {
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
  // A listener is what keeps the default action away.
}

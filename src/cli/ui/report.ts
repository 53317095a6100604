import { CommanderError } from "commander";
import {
  asError,
  ConfigError,
  EXIT,
  StoreError,
  UsageError,
} from "../../errors.ts";

/** Says on stderr what went wrong, one line for each fault, and gives the exit code. */
export function report(thrown: unknown): number {
  if (thrown instanceof CommanderError) {
    // Commander has printed its own line; help and version are no faults.
    return thrown.exitCode === 0 ? EXIT.good : EXIT.usage;
  }
  if (thrown instanceof ConfigError) {
    for (const fault of thrown.faults) {
      console.error(`hexhook: ${fault}`);
    }
    return EXIT.config;
  }
  const error = asError(thrown);
  console.error(`hexhook: ${error.message}`);
  if (error instanceof UsageError) {
    return EXIT.usage;
  }
  if (!(error instanceof StoreError)) {
    console.error(error.stack);
  }
  return EXIT.internal;
}

/** A reader of our output that has seen enough (`| head`) is no fault; output that cannot be written is. */
export function endWhenReaderLeaves(): void {
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") {
      process.exit(EXIT.good);
    }
    console.error(
      `hexhook: cannot write its output (${error.code ?? error.message})`,
    );
    process.exit(EXIT.internal);
  });
}

/** For what must come to its end, and to its exit code, whether or not anybody reads what it says. */
export function outliveReader(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.removeAllListeners("error");
    stream.on("error", () => undefined);
  }
}

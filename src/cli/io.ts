import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Environment } from "../config/load-config.ts";
import type { ExitCode } from "../errors.ts";

export type Input = Readable & { readonly isTTY: boolean };

export type Output = Writable & {
  readonly isTTY: boolean;
  readonly columns?: number;
};

/** The parts of its process that a command uses. Tests pass their own. The working directory is always that of the process. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
  /** Emits the signals of the process by name. */
  readonly signals: Pick<EventEmitter, "on" | "off" | "listeners">;
  /** Sets the exit code for the end of the process; 0 unless set. */
  readonly setExitCode: (code: ExitCode) => void;
}

/** Writes a line without waiting for the reader. Returns false when the reader is slow, as `write` does. */
export function writeLine(output: Output, line: string): boolean {
  return output.write(`${line}\n`);
}

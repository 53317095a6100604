import type { EventEmitter } from "node:events";
import type { Readable, Writable } from "node:stream";
import type { Environment } from "../config/load-config.ts";
import type { ExitCode } from "../errors.ts";

export type Input = Readable & { readonly isTTY: boolean };

export type Output = Writable & {
  readonly isTTY: boolean;
  readonly columns?: number;
};

/** Everything that a command has from its process: the process itself, or what a test gives. The working folder is the process's. */
export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Environment;
  /** Emits the signals that the process gets, by their names. */
  readonly signals: Pick<EventEmitter, "on" | "off" | "listeners">;
  /** What to exit with once everything has ended; 0 unless set. */
  readonly setExitCode: (code: ExitCode) => void;
}

/** Writes a line without waiting for its reader. False when the reader is slow, as of `write`. */
export function writeLine(output: Output, line: string): boolean {
  return output.write(`${line}\n`);
}

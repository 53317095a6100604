import { inProject } from "./project.ts";

/** Which streams of a process are a terminal; the others are pipes. */
export type OnTerminal = "both" | "stdout" | "stderr";

const SCRIPT = inProject("test", "support", "terminal.py");

/**
 * The command that runs another one on a pseudo-terminal of so many columns. It prints what the terminal gets on its own stdout,
 * and what the stream gets that is no terminal on its stderr. It passes SIGTERM on, and exits with the code of the command.
 */
export const onTerminal = (
  streams: OnTerminal,
  columns: number,
): readonly string[] => ["python3", SCRIPT, streams, String(columns)];

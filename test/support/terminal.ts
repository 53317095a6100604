import { inProject } from "./project.ts";

/** Which streams of a process are a terminal; the others are pipes. */
export type OnTerminal = "both" | "stdout" | "stderr";

const SCRIPT = inProject("test", "support", "terminal.py");

/**
 * Returns the command that runs another one on a pseudo-terminal with the given number of columns. It prints the output to the
 * terminal on its own stdout, and the output to the piped stream on its stderr. It forwards SIGTERM. At SIGHUP
 * the terminal hangs up, and the command gets SIGHUP and SIGWINCH. It exits with the code of the command.
 */
export const onTerminal = (
  streams: OnTerminal,
  columns: number,
): readonly string[] => ["python3", SCRIPT, streams, String(columns)];

import type { Config } from "../config/load-config.ts";
import type { LogStyle } from "../telemetry/logger.ts";
import { displayOf } from "../terminal/display.ts";
import type { Io } from "./io.ts";

/** How the operational log is written on stderr. */
export function logStyle(
  { logFormat }: Config,
  { stderr, env }: Pick<Io, "stderr" | "env">,
): LogStyle {
  const display = displayOf(stderr, env);
  const format = logFormat ?? (display.isTerminal ? "pretty" : "json");
  return { format, display };
}

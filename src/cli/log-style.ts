import type { Config } from "../config/load-config.ts";
import type { LogStyle } from "../telemetry/logger.ts";
import { displayOf } from "../terminal/display.ts";
import type { Io } from "./io.ts";

/** Returns the format of the operational log, and the display properties of stderr. */
export function logStyle(
  { logFormat }: Config,
  { stderr, env }: Pick<Io, "stderr" | "env">,
): LogStyle {
  const display = displayOf(stderr, env);
  const format = logFormat ?? (display.isTerminal ? "pretty" : "json");
  return { format, display };
}

import type { TimestampFormat } from "../../domain/scheme.ts";

export const UNIT_NAMES: Readonly<Record<TimestampFormat["unit"], string>> = {
  s: "unix seconds",
  ms: "unix milliseconds",
  rfc3339: "an RFC 3339 time",
};

import { InvalidArgumentError } from "commander";

/** Parsers for the options of commands; what they throw commander shows beside the option's name. */

export function parseCount(text: string): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : 0;
  if (value < 1) {
    throw new InvalidArgumentError("It must be a whole number from 1.");
  }
  return value;
}

export function parsePort(text: string): number {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new InvalidArgumentError("It must be a port, 0 to 65535.");
  }
  return Number(text);
}

export function parseTimestampOption(text: string): number {
  if (!/^\d{1,11}$/.test(text)) {
    throw new InvalidArgumentError("It must be unix seconds.");
  }
  return Number(text);
}

const AGO = /^(\d{1,9})(s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `15m`, `2h`, `3d` ago, or an ISO date or time; an ISO timestamp in UTC comes back. */
export function parseSince(text: string): string {
  const ago = AGO.exec(text);
  const at =
    ago === null
      ? parseIsoTime(text)
      : Date.now() - Number(ago[1]) * (UNIT_MS[ago[2] ?? ""] ?? Number.NaN);
  if (Number.isNaN(at)) {
    throw new InvalidArgumentError(
      "It must be a time ago such as 15m, 2h or 3d, or an ISO time such as 2026-11-23T18:00:00Z.",
    );
  }
  return new Date(at).toISOString();
}

/** Unix milliseconds; without a zone it is UTC, as everything in the trail is. NaN when it is no ISO time. */
function parseIsoTime(text: string): number {
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:T(\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/.exec(
      text,
    );
  const [, day, time = "00:00", zone = "Z"] = match ?? [];
  return day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
}

/** Collects an option that may be given several times. */
export function collect(
  value: string,
  earlier: readonly string[] = [],
): string[] {
  return [...earlier, value];
}

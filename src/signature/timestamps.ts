import type { TimestampFormat } from "../domain/scheme.ts";

const SECONDS = /^\d{1,11}$/;
const MILLISECONDS = /^\d{1,14}$/;
/** RFC 3339 section 5.6, with up to nine digits of fraction. */
const RFC3339 =
  /^(\d{4})-(\d{2})-(\d{2})T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(?:\.\d{1,9})?(?:Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Parses a timestamp to unix seconds, rounded down; null for a text that is not in the unit's exact form. */
export function parseTimestamp(
  text: string,
  unit: TimestampFormat["unit"],
): number | null {
  switch (unit) {
    case "s":
      return SECONDS.test(text) ? Number(text) : null;
    case "ms":
      return MILLISECONDS.test(text) ? Math.floor(Number(text) / 1000) : null;
    case "rfc3339":
      return parseRfc3339(text);
  }
}

function parseRfc3339(text: string): number | null {
  const [, year, month, day] = RFC3339.exec(text) ?? [];
  if (year === undefined || month === undefined || day === undefined) {
    return null;
  }
  // `Date.parse` turns 31 February into 3 March.
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)
    ? null
    : Math.floor(Date.parse(text) / 1000);
}

/** Formats a time in unix milliseconds as a sender writes it. */
export function formatTimestamp(
  at: number,
  unit: TimestampFormat["unit"],
): string {
  switch (unit) {
    case "s":
      return String(Math.floor(at / 1000));
    case "ms":
      return String(at);
    case "rfc3339":
      return new Date(at).toISOString();
  }
}

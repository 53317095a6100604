const AGO = /^(\d{1,9})(s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** Accepts a space instead of `T` too, as in the output of `audit tail`. */
const ISO =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

/** The formats that `parseSince` accepts, for error messages. */
export const SINCE_FORMS =
  "an age such as 15m, 2h or 3d, or an ISO time such as 2026-11-23T18:00:00Z (UTC if it has no zone)";

/**
 * Parses an age (`15m`, `2h`, `3d` before `now`) or an ISO date or time to unix milliseconds. A time without a zone is in
 * UTC, like all times in the audit trail. Returns null for any other text.
 */
export function parseSince(text: string, now: number): number | null {
  const [, count, unit = ""] = AGO.exec(text) ?? [];
  if (count !== undefined) {
    return Math.max(0, now - Number(count) * (UNIT_MS[unit] ?? 0));
  }
  const [, day, time = "00:00", zone = "Z"] = ISO.exec(text) ?? [];
  const at =
    day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  return Number.isNaN(at) || !isDay(day ?? "") ? null : at;
}

/** Returns whether a day exists. `Date.parse` accepts 30 February as 2 March. */
function isDay(day: string): boolean {
  return new Date(`${day}T00:00Z`).toISOString().startsWith(day);
}

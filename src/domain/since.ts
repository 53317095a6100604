const AGO = /^(\d{1,9})(s|m|h|d)$/;
const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};
/** Also as `audit tail` shows it, with a blank. */
const ISO =
  /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/;

/** What to write where `parseSince` gives null. */
export const SINCE_FORMS =
  "a time ago such as 15m, 2h or 3d, or an ISO time such as 2026-11-23T18:00:00Z (UTC without a zone)";

/**
 * The unix milliseconds of `15m`, `2h`, `3d` before `now`, or of an ISO date or time, which without a zone is in UTC, as
 * everything in the trail is. Null for everything else.
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

/** Date takes the 30th of February for the 2nd of March. */
function isDay(day: string): boolean {
  return new Date(`${day}T00:00Z`).toISOString().startsWith(day);
}

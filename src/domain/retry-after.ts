/** Maximum wait that a `Retry-After` can cause, in milliseconds. The wait of a schedule may be longer. */
export const MAX_RETRY_AFTER_MS = 3_600_000;

const DELAY_SECONDS = /^\d+$/;

const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/** The current date format of HTTP, and the two obsolete ones that must still be accepted (RFC 9110 section 5.6.7). */
const HTTP_DATES = [
  // Sun, 06 Nov 1994 08:49:37 GMT
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?<day>\d{2}) (?<month>[A-Z][a-z]{2}) (?<year>\d{4}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  // Sunday, 06-Nov-94 08:49:37 GMT
  /^(?:Mon|Tues|Wednes|Thurs|Fri|Satur|Sun)day, (?<day>\d{2})-(?<month>[A-Z][a-z]{2})-(?<year>\d{2}) (?<time>\d{2}:\d{2}:\d{2}) GMT$/,
  // Sun Nov  6 08:49:37 1994
  /^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) (?<month>[A-Z][a-z]{2}) (?<day>\d{2}| \d) (?<time>\d{2}:\d{2}:\d{2}) (?<year>\d{4})$/,
] as const;

/**
 * Parses a `Retry-After` header (RFC 9110 section 10.2.3) and returns the wait from `now` in milliseconds, always finite. The
 * value is a number of seconds or an HTTP date; a date in the past gives 0. Returns null without a header, or for any other
 * value. `now` is in unix milliseconds.
 */
export function parseRetryAfter(
  value: string | undefined,
  now: number,
): number | null {
  if (value === undefined) {
    return null;
  }
  if (DELAY_SECONDS.test(value)) {
    return Math.min(Number(value) * 1000, Number.MAX_SAFE_INTEGER);
  }
  const at = parseHttpDate(value, now);
  return at === null ? null : Math.max(0, at - now);
}

/** Parses an HTTP date to unix milliseconds. Does not check the day of the week. */
function parseHttpDate(text: string, now: number): number | null {
  for (const form of HTTP_DATES) {
    const parts = form.exec(text)?.groups;
    if (parts !== undefined) {
      const { day = "", month = "", year = "", time = "" } = parts;
      return instant(
        year.length === 2 ? nearestYear(Number(year), now) : Number(year),
        MONTHS.indexOf(month),
        Number(day),
        time,
      );
    }
  }
  return null;
}

/** Returns the year for two digits. A year more than 50 years ahead means the past (RFC 9110 section 5.6.7). */
function nearestYear(twoDigits: number, now: number): number {
  const thisYear = new Date(now).getUTCFullYear();
  const ahead = (twoDigits - (thisYear % 100) + 100) % 100;
  return thisYear + (ahead > 50 ? ahead - 100 : ahead);
}

/** Returns unix milliseconds, or null for a date or time that does not exist. Second 60 is a leap second. */
function instant(
  year: number,
  month: number,
  day: number,
  time: string,
): number | null {
  const [hour = 0, minute = 0, second = 0] = time.split(":").map(Number);
  const midnight = new Date(Date.UTC(year, month, day));
  const exists =
    midnight.getUTCMonth() === month &&
    midnight.getUTCDate() === day &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 60;
  return exists
    ? midnight.getTime() + ((hour * 60 + minute) * 60 + second) * 1000
    : null;
}

const DAY_MS = 86_400_000;
const WARN_FROM_DAYS = 75;
const OVERDUE_FROM_DAYS = 90;

/** A date of another time zone can be up to a day ahead. */
const MAX_AHEAD_MS = DAY_MS;

/** The age of a secret. */
export interface KeyAge {
  /** In whole days; null = unknown. */
  readonly days: number | null;
  /** `unknown` without a date, or with a date in the future: the secret could be overdue. */
  readonly verdict: "fresh" | "due" | "overdue" | "unknown";
}

/** Returns what to do about a missing creation date. `name`: the short name of the secret, unique in its source. */
export function howToDate(name: string): string {
  return name === "HEX_SECRET"
    ? "set HEX_SECRET_CREATED_AT"
    : "set createdAt of the secret in the configuration file";
}

/** Returns the age of a secret in days; null = unknown. Times are unix milliseconds. */
export function ageInDays(
  createdAt: number | null,
  now: number,
): number | null {
  return createdAt === null || createdAt > now + MAX_AHEAD_MS
    ? null
    : Math.max(0, (now - createdAt) / DAY_MS);
}

/** Judges the age of a secret: due for rotation from 75 days, overdue from 90. Times are unix milliseconds. */
export function judgeKeyAge(createdAt: number | null, now: number): KeyAge {
  const age = ageInDays(createdAt, now);
  if (age === null) {
    return { days: null, verdict: "unknown" };
  }
  const days = Math.floor(age);
  if (days >= OVERDUE_FROM_DAYS) {
    return { days, verdict: "overdue" };
  }
  return { days, verdict: days >= WARN_FROM_DAYS ? "due" : "fresh" };
}

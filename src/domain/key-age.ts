const DAY_MS = 86_400_000;
const WARN_FROM_DAYS = 75;
const OVERDUE_FROM_DAYS = 90;

/** A date may be of another time zone, and so a day ahead. */
const MAX_AHEAD_MS = DAY_MS;

/** How old a secret is. */
export interface KeyAge {
  /** Whole days; null when it cannot be told. */
  readonly days: number | null;
  /** `unknown` where there is no date, or one in the future: nobody can say that it is not overdue. */
  readonly verdict: "fresh" | "due" | "overdue" | "unknown";
}

/** Judges a secret by the day it was made: due for rotation from 75 days, overdue from 90. Unix milliseconds. */
export function judgeKeyAge(createdAt: number | null, now: number): KeyAge {
  if (createdAt === null || createdAt > now + MAX_AHEAD_MS) {
    return { days: null, verdict: "unknown" };
  }
  const days = Math.max(0, Math.floor((now - createdAt) / DAY_MS));
  if (days >= OVERDUE_FROM_DAYS) {
    return { days, verdict: "overdue" };
  }
  return { days, verdict: days >= WARN_FROM_DAYS ? "due" : "fresh" };
}

/** Milliseconds of a UTC day. */
export const DAY_MS = 86_400_000;

/** Seconds of an hour. */
export const HOUR_SECONDS = 3600;

/** Returns the UTC day of an event or entry: the number of days since 1970. `at`: unix milliseconds. */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

/** Returns the hour of a replay claim: the number of hours since 1970. `signedAt`: unix seconds. */
export const hourOf = (signedAt: number): number =>
  Math.floor(signedAt / HOUR_SECONDS);

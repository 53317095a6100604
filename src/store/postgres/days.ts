/** Milliseconds of a UTC day. */
export const DAY_MS = 86_400_000;

/** Returns the number of UTC days since 1970. `at`: unix milliseconds. */
export const dayOf = (at: number): number => Math.floor(at / DAY_MS);

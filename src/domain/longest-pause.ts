/** A destination pauses itself (`Retry-After`) for this long at most, in milliseconds. */
export const LONGEST_PAUSE_MS = 3_600_000;

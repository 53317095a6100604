/** Searches by time stay correct if a clock was set back by at most this time, in milliseconds. */
export const CLOCK_MARGIN_MS = 3_600_000;

/** A clock that was set back by less hides nothing from a search by time, in milliseconds. */
export const CLOCK_MARGIN_MS = 3_600_000;

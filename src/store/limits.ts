/* Limits that every driver has. */

/** The due time of a delivery that waits for another delivery with its order key. */
export const AFTER_ANOTHER = Number.MAX_SAFE_INTEGER;

/**
 * A claim ends when it has read this many bytes of bodies. The next claim takes the rest, so that new events are not
 * delayed.
 */
export const MAX_CLAIMED_BYTES = 2_097_152;

/** The maximum number of deliveries that a probe selection examines, the latest due first: a few milliseconds. */
export const MAX_PROBE_DUE = 2000;

/** The maximum number of them whose source and type are compared with earlier probes. The newest events are compared. */
export const MAX_PROBE_CANDIDATES = 500;

/** The maximum number of deliveries that one step exhausts because of their age: a few milliseconds. */
export const MAX_EXPIRED = 100;

/** Counts of deliveries stop at this number. A larger count takes long, and no caller needs its exact value. */
export const MAX_COUNT = 10_000;

/** A key that was not used for this time, in milliseconds, is forgotten. */
export const KEY_USE_KEEP_MS = 366 * 86_400_000;

/** A published status older than this, in milliseconds, is deleted when another process run publishes its status. */
export const STATUS_KEEP_MS = 86_400_000;

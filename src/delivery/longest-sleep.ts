/** The longest sleep of a worker, in milliseconds. It bounds the delay of deliveries that another process made due. */
export const POLL_MS = 1000;

/**
 * The longest sleep while other processes store and attempt deliveries of the destination too. It applies until no delivery was
 * claimed for BUSY_MS, so an idle destination costs few queries.
 */
const BUSY_POLL_MS = 250;
const BUSY_MS = 10_000;

/** Returns the longest sleep while deliveries may become due without a wake-up. `idleMs`: the time since the last claim. */
export function longestSleep(state: {
  readonly isShared: boolean;
  readonly idleMs: number;
}): number {
  return state.isShared && state.idleMs < BUSY_MS ? BUSY_POLL_MS : POLL_MS;
}

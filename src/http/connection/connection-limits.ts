/** The part of the descriptor limit that the public listener may use. */
const PUBLIC_SHARE = 3 / 4;
/** Maximum number of connections of the public listener if MAX_CONNECTIONS is not set, and of the management listener. */
const MAX_PUBLIC = 10_000;

/** The part for the management listener. The remaining eighth is for the store, the sinks and attempts. */
const ADMIN_SHARE = 1 / 8;

/** The part of the public connections that one address may use. */
const ADDRESS_SHARE = 1 / 4;

export interface ConnectionLimits {
  /** Maximum number of open connections of the listener. */
  readonly max: number;
  /** Maximum number of open connections of one address (IPv6: a /64). */
  readonly maxPerNetwork: number;
}

/**
 * Returns the limits of the public listener. `descriptors` is the descriptor limit of this process. `configured` is
 * MAX_CONNECTIONS; null = not set.
 */
export function publicLimits(
  descriptors: number,
  configured: number | null,
): ConnectionLimits {
  const share = publicDescriptors(descriptors);
  const max = Math.min(configured ?? MAX_PUBLIC, share);
  return { max, maxPerNetwork: Math.max(1, Math.floor(max * ADDRESS_SHARE)) };
}

/** Returns the number of descriptors that the public listener may use, so that enough remain for the rest of the service. */
export function publicDescriptors(descriptors: number): number {
  return Math.floor(descriptors * PUBLIC_SHARE);
}

/** Returns the limits of the management listener. */
export function adminLimits(descriptors: number): ConnectionLimits {
  const share = Math.min(MAX_PUBLIC, Math.floor(descriptors * ADMIN_SHARE));
  // Only a few hosts reach the management listener, so it has no limit per address.
  return { max: share, maxPerNetwork: share };
}

/** Default limit of public connections, as a share of the descriptor limit. */
const PUBLIC_SHARE = 3 / 4;
/** Upper bound of that default, and of the management listener. */
const MAX_PUBLIC = 10_000;

/** The management listener has half of the rest; the other half is for the store, sinks and attempts. */
const ADMIN_SHARE = 1 / 8;

/** One address's share of a listener's connections. */
const ADDRESS_SHARE = 1 / 4;

export interface ConnectionLimits {
  /** Connections of a listener at once. */
  readonly max: number;
  /** Those of one address (IPv6: a /64). */
  readonly maxPerNetwork: number;
}

/** `descriptors` is how many this process may have open; `configured` is MAX_CONNECTIONS, null = not set. */
export function publicLimits(
  descriptors: number,
  configured: number | null,
): ConnectionLimits {
  const share = publicDescriptors(descriptors);
  const max = Math.min(configured ?? MAX_PUBLIC, share);
  return { max, maxPerNetwork: Math.max(1, Math.floor(max * ADDRESS_SHARE)) };
}

/** The descriptors that the public listener may take without a lack of them elsewhere. */
export function publicDescriptors(descriptors: number): number {
  return Math.floor(descriptors * PUBLIC_SHARE);
}

export function adminLimits(descriptors: number): ConnectionLimits {
  const share = Math.min(MAX_PUBLIC, Math.floor(descriptors * ADMIN_SHARE));
  // Only a few hosts reach the management listener, so it has no limit per address.
  return { max: share, maxPerNetwork: share };
}

import { networkOf } from "../../domain/ip-address.ts";
import { AppError } from "../../errors.ts";

/** Minimum age at which a holding is evicted for another one of the same network, in milliseconds. */
const EVICT_AFTER_MS = 1000;

/** The part of a pool that one client uses. */
export interface Holding {
  /** Sets the size in bytes; 0 releases it. Throws AppError `unavailable` if the pool has no room. */
  readonly resize: (bytes: number) => void;
  /** Called with AppError `unavailable` when the holding is evicted. Null = it must not be evicted. */
  onEvict: ((error: AppError) => void) | null;
}

/** Resizes a holding. Calls `onOverflow` if the pool has no room for it, now or later. */
export function resizeOrOverflow(
  holding: Holding,
  bytes: number,
  onOverflow: () => void,
): void {
  holding.onEvict = onOverflow;
  try {
    holding.resize(bytes);
  } catch {
    onOverflow();
  }
}

/** A limit on the memory that the service uses for its clients. */
export interface MemoryPool {
  /** Creates an empty holding for a client with this address. */
  readonly hold: (address: string) => Holding;
  /** Returns the size of all holdings, in bytes. */
  readonly held: () => number;
}

interface Share {
  readonly network: string;
  bytes: number;
  /** Oldest first. */
  readonly holdings: Set<PoolHolding>;
}

/** A class, because one instance is created for each body. An object with closures would use several times the memory. */
class PoolHolding implements Holding {
  readonly network: string;
  onEvict: Holding["onEvict"] = null;
  /** In bytes. */
  size = 0;
  /** When its size last rose from 0. */
  since = 0;
  readonly #setSize: (holding: PoolHolding, bytes: number) => void;

  constructor(
    network: string,
    setSize: (holding: PoolHolding, bytes: number) => void,
  ) {
    this.network = network;
    this.#setSize = setSize;
  }

  resize(bytes: number): void {
    this.#setSize(this, bytes);
  }
}

/**
 * Creates a pool of `maxBytes`. When the pool is used up, it evicts the oldest holding of the network (an IPv4 address, or a /64)
 * that uses the most memory. So clients that keep memory occupied cannot lock out others.
 */
export function createMemoryPool(options: {
  maxBytes: number;
  /** Milliseconds of a monotonic clock. */
  now: () => number;
}): MemoryPool {
  const { maxBytes, now } = options;
  const shares = new Map<string, Share>();
  let held = 0;

  function largestShare(): Share | undefined {
    let largest: Share | undefined;
    for (const share of shares.values()) {
      if (largest === undefined || share.bytes > largest.bytes) {
        largest = share;
      }
    }
    return largest;
  }

  /** Returns the holding to evict for `growing`, or null. A holding of the same network is evicted only after EVICT_AFTER_MS. */
  function victimFor(growing: PoolHolding): PoolHolding | null {
    const share = largestShare();
    for (const holding of share?.holdings ?? []) {
      if (
        share?.network === growing.network &&
        now() - holding.since < EVICT_AFTER_MS
      ) {
        return null;
      }
      if (holding !== growing && holding.onEvict !== null) {
        return holding;
      }
    }
    return null;
  }

  function makeRoom(bytes: number, growing: PoolHolding): void {
    const overloaded = new AppError("unavailable", "overloaded");
    while (held + bytes > maxBytes) {
      const victim = victimFor(growing);
      if (victim === null) {
        throw overloaded;
      }
      victim.resize(0);
      victim.onEvict?.(overloaded);
    }
  }

  function shareOf(network: string): Share {
    const existing = shares.get(network);
    const share = existing ?? { network, bytes: 0, holdings: new Set() };
    if (existing === undefined) {
      shares.set(network, share);
    }
    return share;
  }

  function setSize(holding: PoolHolding, bytes: number): void {
    const more = bytes - holding.size;
    if (more === 0) {
      return;
    }
    if (more > 0 && held + more > maxBytes) {
      makeRoom(more, holding);
    }
    const share = shareOf(holding.network);
    if (holding.size === 0) {
      holding.since = now();
      share.holdings.add(holding);
    }
    held += more;
    share.bytes += more;
    holding.size = bytes;
    if (bytes === 0) {
      share.holdings.delete(holding);
    }
    if (share.holdings.size === 0) {
      shares.delete(holding.network);
    }
  }

  return {
    held: () => held,
    hold: (address) => new PoolHolding(networkOf(address), setSize),
  };
}

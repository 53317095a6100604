import { networkOf } from "../../domain/ip-address.ts";
import { AppError } from "../../errors.ts";

/** Minimum age of a holding that its own network may evict, in milliseconds. */
const EVICT_AFTER_MS = 1000;

/** What one client holds of a pool. */
export interface Holding {
  /** Sets the held size in bytes; 0 releases it. Throws AppError `unavailable` when there is no room for more. */
  readonly resize: (bytes: number) => void;
  /** Set while it may be given up: called with AppError `unavailable` when others need the room. */
  onEvict: ((error: AppError) => void) | null;
}

/** Resizes a holding that is given up when there is no room for it, now or later. */
export function resizeOrGiveUp(
  holding: Holding,
  bytes: number,
  giveUp: () => void,
): void {
  holding.onEvict = giveUp;
  try {
    holding.resize(bytes);
  } catch {
    giveUp();
  }
}

/** A bound on the memory that clients make the service hold. */
export interface MemoryPool {
  /** For a client with this address. */
  readonly hold: (address: string) => Holding;
  /** Bytes that are held in all. */
  readonly held: () => number;
}

interface Share {
  readonly network: string;
  bytes: number;
  /** The oldest first. */
  readonly holdings: Set<PoolHolding>;
}

/** A class, because one is made for each body: closures and accessors of its own would cost several times as much. */
class PoolHolding implements Holding {
  readonly network: string;
  onEvict: Holding["onEvict"] = null;
  /** What is held, in bytes. */
  size = 0;
  /** When it began to hold something. */
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
 * A pool of `maxBytes`. When it is used up, the network (an IPv4 address, or a /64) that holds most has to make room, with what
 * it has held for longest: clients who hold memory back shut out no others.
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

  /** The holding to evict for another one; one of the same network only after EVICT_AFTER_MS. */
  function victimFor(asking: PoolHolding): PoolHolding | null {
    const share = largestShare();
    for (const holding of share?.holdings ?? []) {
      if (
        share?.network === asking.network &&
        now() - holding.since < EVICT_AFTER_MS
      ) {
        return null;
      }
      if (holding !== asking && holding.onEvict !== null) {
        return holding;
      }
    }
    return null;
  }

  function makeRoom(bytes: number, asking: PoolHolding): void {
    const overloaded = new AppError("unavailable", "overloaded");
    while (held + bytes > maxBytes) {
      const victim = victimFor(asking);
      if (victim === null) {
        throw overloaded;
      }
      victim.resize(0);
      victim.onEvict?.(overloaded);
    }
  }

  function shareOf(network: string): Share {
    const known = shares.get(network);
    const share = known ?? { network, bytes: 0, holdings: new Set() };
    if (known === undefined) {
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

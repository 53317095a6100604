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

interface PoolHolding extends Holding {
  readonly since: number;
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

  /** The holding to evict for `network`; one of the same network only after EVICT_AFTER_MS. */
  function victimFor(network: string, except: PoolHolding): PoolHolding | null {
    const share = largestShare();
    for (const holding of share?.holdings ?? []) {
      if (
        share?.network === network &&
        now() - holding.since < EVICT_AFTER_MS
      ) {
        return null;
      }
      if (holding !== except && holding.onEvict !== null) {
        return holding;
      }
    }
    return null;
  }

  function makeRoom(bytes: number, network: string, asking: PoolHolding): void {
    const overloaded = new AppError("unavailable", "overloaded");
    while (held + bytes > maxBytes) {
      const victim = victimFor(network, asking);
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

  return {
    held: () => held,
    hold(address) {
      let size = 0;
      let since = 0;
      const network = networkOf(address);
      const holding: PoolHolding = {
        onEvict: null,
        get since() {
          return since;
        },
        resize(bytes) {
          const more = bytes - size;
          if (more === 0) {
            return;
          }
          if (more > 0 && held + more > maxBytes) {
            makeRoom(more, network, holding);
          }
          const share = shareOf(network);
          if (size === 0) {
            since = now();
            share.holdings.add(holding);
          }
          held += more;
          share.bytes += more;
          size = bytes;
          if (size === 0) {
            share.holdings.delete(holding);
          }
          if (share.holdings.size === 0) {
            shares.delete(network);
          }
        },
      };
      return holding;
    },
  };
}

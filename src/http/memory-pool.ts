import { AppError } from "../errors.ts";

/** What takes this long to come in has to make room for others when there is none left, in milliseconds. */
const EVICT_AFTER_MS = 1000;

/** What one client holds of a pool. */
export interface Holding {
  /** Takes more bytes; throws AppError `unavailable` when there is no room for them. */
  readonly add: (bytes: number) => void;
  /** Gives all of them back. */
  readonly release: () => void;
  /** Set while it may be given up: called with AppError `unavailable` when others need the room. */
  onEvict: ((error: AppError) => void) | null;
}

/** A bound on the memory that clients make the service hold. */
export interface MemoryPool {
  readonly hold: () => Holding;
}

/**
 * A pool of `maxBytes`. When it is used up, the holdings that began first are given up, so that clients who hold something
 * back shut nobody out.
 */
export function createMemoryPool(options: {
  maxBytes: number;
  /** Milliseconds of a monotonic clock. */
  now: () => number;
}): MemoryPool {
  const { maxBytes, now } = options;
  /** The oldest first. */
  const holdings = new Set<PoolHolding>();
  let held = 0;

  function makeRoom(bytes: number, forOne: PoolHolding): void {
    const overloaded = new AppError("unavailable", "overloaded");
    for (const holding of holdings) {
      if (held + bytes <= maxBytes || now() - holding.since < EVICT_AFTER_MS) {
        break;
      }
      if (holding !== forOne && holding.onEvict !== null) {
        holding.release();
        holding.onEvict(overloaded);
      }
    }
    if (held + bytes > maxBytes) {
      throw overloaded;
    }
  }

  class PoolHolding implements Holding {
    since = 0;
    bytes = 0;
    onEvict: Holding["onEvict"] = null;

    add(bytes: number): void {
      if (held + bytes > maxBytes) {
        makeRoom(bytes, this);
      }
      if (this.bytes === 0) {
        this.since = now();
        holdings.add(this);
      }
      held += bytes;
      this.bytes += bytes;
    }

    release(): void {
      held -= this.bytes;
      this.bytes = 0;
      holdings.delete(this);
    }
  }

  return { hold: () => new PoolHolding() };
}

import { AppError } from "../../errors.ts";
import {
  createMemoryPool,
  type Holding,
  type MemoryPool,
} from "../connection/memory-pool.ts";
import type { Scheduler } from "../connection/scheduler.ts";

/** Bounds what is in flight at once, so that overload gives a 503 instead of exhausting memory. */
export interface Admission {
  /** Memory for one body of a client with this address. */
  readonly hold: (address: string) => Holding;
  /**
   * Runs the work on a body of that many bytes, a large one when it is its turn. Rejects with AppError `unavailable` when too
   * many wait already.
   */
  readonly work: <T>(bytes: number, work: () => Promise<T>) => Promise<T>;
}

/** Bodies up to this size have a separate memory pool. */
const SMALL_BYTES = 65_536;

/** What verifying and reading a body takes at most, in milliseconds. */
const MS_PER_BYTE = 10 / 1_000_000;

/**
 * Bytes count as they arrive, since a declared length costs its sender nothing. `maxBytes` bounds the bodies of each
 * size class, `maxWaiting` the requests whose bodies are there and whose answers are not.
 */
export function createAdmission(
  { scheduler, now }: { scheduler: Scheduler; now: () => number },
  options: { maxBytes: number; maxWaiting: number },
): Admission {
  const { maxBytes, maxWaiting } = options;
  const small = createMemoryPool({ maxBytes, now });
  const large = createMemoryPool({ maxBytes, now });
  let waiting = 0;

  return {
    hold: (address) => new BodyHolding(address, small, large),
    async work(bytes, work) {
      if (waiting >= maxWaiting) {
        throw new AppError("unavailable", "overloaded");
      }
      waiting += 1;
      try {
        return await (bytes > SMALL_BYTES
          ? scheduler.run(bytes * MS_PER_BYTE, work)
          : work());
      } finally {
        waiting -= 1;
      }
    },
  };
}

/** Moves to the pool of large bodies when it turns out to be one. */
class BodyHolding implements Holding {
  readonly #address: string;
  readonly #large: MemoryPool;
  #holding: Holding;
  #isLarge = false;

  constructor(address: string, small: MemoryPool, large: MemoryPool) {
    this.#address = address;
    this.#large = large;
    this.#holding = small.hold(address);
  }

  resize(bytes: number): void {
    if (bytes > SMALL_BYTES && !this.#isLarge) {
      const { onEvict } = this.#holding;
      this.#holding.resize(0);
      this.#isLarge = true;
      this.#holding = this.#large.hold(this.#address);
      this.#holding.onEvict = onEvict;
    }
    this.#holding.resize(bytes);
  }

  set onEvict(evict: Holding["onEvict"]) {
    this.#holding.onEvict = evict;
  }

  get onEvict(): Holding["onEvict"] {
    return this.#holding.onEvict;
  }
}

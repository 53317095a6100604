import { AppError } from "../../errors.ts";
import {
  createMemoryPool,
  type Holding,
  type MemoryPool,
} from "../connection/memory-pool.ts";
import type { Scheduler } from "../connection/scheduler.ts";

/** Limits the memory and the number of requests in progress, so that overload causes a 503 and never exhausts memory. */
export interface Admission {
  /** Returns the memory for one body of a client with this address. */
  readonly hold: (address: string) => Holding;
  /**
   * Runs the work on a body of `bytes` bytes. A large body waits for its turn in the scheduler. Rejects with AppError
   * `unavailable` if too many requests are waiting.
   */
  readonly work: <T>(bytes: number, work: () => Promise<T>) => Promise<T>;
}

/** Maximum size of a small body, in bytes. Small and large bodies have separate memory pools. */
const SMALL_BYTES = 65_536;

/** Upper bound of the time to verify and scan a body, in milliseconds per byte. */
const MS_PER_BYTE = 10 / 1_000_000;

/**
 * Creates the admission of the endpoint. `maxBytes` limits the memory for small bodies, and separately that for large ones.
 * `maxWaiting` limits the requests that have a complete body and no response yet. Bytes are counted when they arrive, so a
 * declared length alone takes no memory from other senders.
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

/** Moves to the pool of large bodies when the body grows beyond SMALL_BYTES. */
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

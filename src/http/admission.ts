import { AppError } from "../errors.ts";
import { createMemoryPool, type Holding } from "./memory-pool.ts";
import type { Turns } from "./turns.ts";

/** Bounds what is in flight at once, so that overload is an answer and not a lack of memory. */
export interface Admission {
  /** Memory for one body. */
  readonly hold: () => Holding;
  /**
   * Runs the work on a body of that many bytes, a large one when it is its turn. Rejects with AppError `unavailable` when too
   * many wait already.
   */
  readonly work: <T>(bytes: number, work: () => Promise<T>) => Promise<T>;
}

/** Bodies have memory of their own up to this size, which larger ones cannot use up. */
const SMALL_BYTES = 65_536;

/**
 * Bytes count as they arrive, since a declared length costs its sender nothing. `maxBytes` bounds the bodies of each
 * size class, `maxWaiting` the requests whose bodies are there and whose answers are not.
 */
export function createAdmission(
  { turns, now }: { turns: Turns; now: () => number },
  options: { maxBytes: number; maxWaiting: number },
): Admission {
  const { maxBytes, maxWaiting } = options;
  const small = createMemoryPool({ maxBytes, now });
  const large = createMemoryPool({ maxBytes, now });
  let waiting = 0;

  return {
    hold: () => new BodyHolding(small.hold(), large.hold()),
    async work(bytes, work) {
      if (waiting >= maxWaiting) {
        throw new AppError("unavailable", "overloaded");
      }
      waiting += 1;
      try {
        return await (bytes > SMALL_BYTES ? turns.run(work) : work());
      } finally {
        waiting -= 1;
      }
    },
  };
}

/** Moves from one pool to the other when the body turns out to be large. */
class BodyHolding implements Holding {
  readonly #small: Holding;
  readonly #large: Holding;
  #bytes = 0;

  constructor(small: Holding, large: Holding) {
    this.#small = small;
    this.#large = large;
  }

  add(bytes: number): void {
    const before = this.#bytes;
    this.#bytes += bytes;
    if (this.#bytes <= SMALL_BYTES) {
      this.#small.add(bytes);
    } else if (before <= SMALL_BYTES) {
      this.#small.release();
      this.#large.add(this.#bytes);
    } else {
      this.#large.add(bytes);
    }
  }

  release(): void {
    this.#small.release();
    this.#large.release();
  }

  set onEvict(evict: Holding["onEvict"]) {
    this.#small.onEvict = evict;
    this.#large.onEvict = evict;
  }

  get onEvict(): Holding["onEvict"] {
    return this.#small.onEvict;
  }
}

import { AppError } from "../errors.ts";
import type { Turns } from "./turns.ts";

/** What a request holds of the service's memory while its body comes in. */
export interface Holding {
  /** Counts bytes that are held; throws AppError `unavailable` when there is no room for them. */
  readonly add: (bytes: number) => void;
  readonly release: () => void;
  /** Set while more is to come: called with AppError `unavailable` when the room is needed for others. */
  onEvict: ((error: AppError) => void) | null;
}

/** Bounds what is in flight at once, so that overload is an answer and not a lack of memory. */
export interface Admission {
  readonly hold: () => Holding;
  /**
   * Runs the work on a body of that many bytes, a large one when it is its turn. Rejects with AppError `unavailable` when too
   * many wait already.
   */
  readonly work: <T>(bytes: number, work: () => Promise<T>) => Promise<T>;
}

/** Bodies have memory of their own up to this size, which larger ones cannot use up. */
const SMALL_BYTES = 65_536;

/** A body that takes this long has to make room for others when there is none left, in milliseconds. */
const EVICT_AFTER_MS = 1000;

type SizeClass = "small" | "large";

/**
 * Counts bytes as they arrive, since a declared length costs its sender nothing. `maxBytes` bounds the bodies of each
 * size class, `maxWaiting` the requests whose bodies are there and whose answers are not.
 *
 * Where there is no room, those that have been coming for longest are given up first, so that a sender who holds bodies back
 * shuts nobody out.
 */
export function createAdmission(
  { turns, now }: { turns: Turns; now: () => number },
  options: { maxBytes: number; maxWaiting: number },
): Admission {
  const held = { small: 0, large: 0 };
  /** Oldest first. */
  const bodies = { small: new Set<HeldBody>(), large: new Set<HeldBody>() };
  let waiting = 0;

  function hasRoom(size: SizeClass, bytes: number): boolean {
    return held[size] + bytes <= options.maxBytes;
  }

  function makeRoom(size: SizeClass, bytes: number, body: HeldBody): void {
    const overloaded = new AppError("unavailable", "overloaded");
    for (const other of bodies[size]) {
      if (hasRoom(size, bytes) || now() - other.since < EVICT_AFTER_MS) {
        break;
      }
      if (other !== body && other.onEvict !== null) {
        other.release();
        other.onEvict(overloaded);
      }
    }
    if (!hasRoom(size, bytes)) {
      throw overloaded;
    }
  }

  class HeldBody implements Holding {
    readonly since = now();
    onEvict: Holding["onEvict"] = null;
    #size: SizeClass = "small";
    #bytes = 0;

    add(bytes: number): void {
      const total = this.#bytes + bytes;
      const size = total <= SMALL_BYTES ? "small" : "large";
      const more = size === this.#size ? bytes : total;
      if (!hasRoom(size, more)) {
        makeRoom(size, more, this);
      }
      if (size !== this.#size || this.#bytes === 0) {
        this.release();
        this.#size = size;
        bodies[size].add(this);
      }
      held[size] += more;
      this.#bytes = total;
    }

    release(): void {
      held[this.#size] -= this.#bytes;
      bodies[this.#size].delete(this);
      this.#bytes = 0;
    }
  }

  return {
    hold: () => new HeldBody(),
    async work(bytes, work) {
      if (waiting >= options.maxWaiting) {
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

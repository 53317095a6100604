import { AppError } from "../errors.ts";

/** What a request holds of the service's memory while its body comes in. */
export interface Holding {
  /** Counts bytes that have arrived; throws AppError `unavailable` when there is no room for them. */
  add: (bytes: number) => void;
  release: () => void;
}

/** Bounds what is under way at once, so that overload is an answer and not a lack of memory. */
export interface Admission {
  /** For a body of that declared length, null where it is sent in chunks. */
  hold: (declared: number | null) => Holding;
  /** Runs the work on a body that has arrived whole; throws AppError `unavailable` when too many wait already. */
  work: <T>(work: () => Promise<T>) => Promise<T>;
}

/** Bodies declared up to this size have memory of their own, which larger ones cannot use up. */
const SMALL_BYTES = 65_536;

/**
 * Counts bytes as they arrive, since a declared length costs its sender nothing. `maxBytes` bounds the bodies of each
 * size class, `maxWaiting` the requests whose bodies are there and whose answers are not.
 */
export function createAdmission(options: {
  maxBytes: number;
  maxWaiting: number;
}): Admission {
  const held = { small: 0, large: 0 };
  let waiting = 0;

  return {
    hold(declared) {
      const size =
        declared !== null && declared <= SMALL_BYTES ? "small" : "large";
      let mine = 0;
      return {
        add(bytes) {
          if (held[size] + bytes > options.maxBytes) {
            throw new AppError("unavailable", "overloaded");
          }
          held[size] += bytes;
          mine += bytes;
        },
        release() {
          held[size] -= mine;
          mine = 0;
        },
      };
    },
    async work(work) {
      if (waiting >= options.maxWaiting) {
        throw new AppError("unavailable", "overloaded");
      }
      waiting += 1;
      try {
        return await work();
      } finally {
        waiting -= 1;
      }
    },
  };
}

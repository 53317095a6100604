import { AppError } from "../errors.ts";

/** Bounds what is under way at once, so that overload is an answer and not a lack of memory. */
export interface Admission {
  /** Takes a place and `bytes` of memory until `leave(bytes)`; throws AppError `unavailable` when there is none. */
  enter(bytes: number): void;
  leave(bytes: number): void;
}

/** At most `maxRequests` at once, holding at most `maxBytes` of bodies. */
export function createAdmission(options: {
  maxRequests: number;
  maxBytes: number;
}): Admission {
  let requests = 0;
  let held = 0;
  return {
    enter(bytes) {
      if (requests >= options.maxRequests || held + bytes > options.maxBytes) {
        throw new AppError("unavailable", "overloaded");
      }
      requests += 1;
      held += bytes;
    },
    leave(bytes) {
      requests -= 1;
      held -= bytes;
    },
  };
}

import { AppError } from "../errors.ts";

/** One probe serves all that ask within this time, so that asking cannot become a load on the store. */
const FRESH_MS = 1000;

/** Resolves when events can be taken; rejects while draining, or when the store or the audit trail fails. */
export function createReadiness(deps: {
  probe: () => Promise<void>;
  isDraining: () => boolean;
  /** Milliseconds of a monotonic clock. */
  now: () => number;
}): () => Promise<void> {
  let latest: { at: number; probe: Promise<void> } | null = null;
  return async () => {
    if (deps.isDraining()) {
      throw new AppError("unavailable", "draining");
    }
    const now = deps.now();
    if (latest === null || now - latest.at >= FRESH_MS) {
      latest = { at: now, probe: deps.probe() };
    }
    await latest.probe;
  };
}

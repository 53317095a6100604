import { AppError } from "../errors.ts";

/** How long the result of a probe is reused, so that frequent checks do not load the store. */
const FRESH_MS = 1000;

/**
 * Creates the check for `/readyz`. It resolves if the service can take events. It rejects while draining, and if the store
 * or the audit trail fails.
 */
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

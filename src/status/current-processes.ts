import type { ProcessStatus } from "../store/records.ts";

/** Age at which a published state counts as outdated, in milliseconds. Processes publish theirs every two seconds. */
const STALE_MS = 10_000;

/** Returns whether a process run is known to be alive. Clocks of other machines may be ahead. */
export function isCurrent(
  { publishedAt, service }: ProcessStatus,
  now: number,
): boolean {
  return (
    Math.abs(now - publishedAt) <= STALE_MS && service?.readiness !== "stopped"
  );
}

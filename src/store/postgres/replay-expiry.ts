import { hourOf } from "./days.ts";
import type { Partitions } from "./partitions.ts";

/** The maximum number of partitions that one call drops. */
const MAX_DROPPED = 4;

/**
 * Drops the replay claims whose whole hour was signed before `signedBefore` (unix seconds). Returns how many partitions; a
 * later call drops further ones.
 */
export function createReplayExpiry(
  partitions: Pick<Partitions, "list" | "drop">,
): (signedBefore: number) => Promise<number> {
  return async (signedBefore) => {
    const hours = (await partitions.list("replay_claim"))
      .filter((hour) => hour < hourOf(signedBefore))
      .slice(0, MAX_DROPPED);
    for (const hour of hours) {
      await partitions.drop("replay_claim", hour);
    }
    return hours.length;
  };
}

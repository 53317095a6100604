import { randomInt } from "node:crypto";
import { seededRandom } from "./seeded-random.ts";

/** Rounds of a test that kills the service again and again: a few in `npm test`, many in `npm run test:soak`. */
export interface Rounds {
  readonly rounds: number;
  /** In [0, 1); follows from the seed of the test. */
  readonly random: () => number;
}

/** Runs a test whose numbers follow from a seed, and names the seed when it fails. */
export async function withSeed(
  test: (random: () => number) => Promise<void>,
  seed = randomInt(2 ** 31),
): Promise<void> {
  try {
    await test(seededRandom(seed));
  } catch (cause) {
    throw new Error(`failed with seed ${seed}: ${String(cause)}`, { cause });
  }
}

/** A whole number from `from` up to but not including `below`. */
export const between = (
  random: () => number,
  from: number,
  below: number,
): number => from + Math.floor(random() * (below - from));

import { randomInt } from "node:crypto";

/** Returns a generator of numbers in [0, 1) that depend only on the seed (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Runs a test with random numbers from a seed. The error of a failed test contains the seed. */
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

/** Returns an integer from `from` up to, but not including, `below`. */
export const between = (
  random: () => number,
  from: number,
  below: number,
): number => from + Math.floor(random() * (below - from));

/** Rounds of a test that kills the service again and again: a few in `npm test`, many in `npm run test:soak`. */
export interface Rounds {
  readonly rounds: number;
  /** In [0, 1); follows from the seed of the test. */
  readonly random: () => number;
}

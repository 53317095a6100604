/** The number of rounds of a test that kills the service repeatedly: few in `npm test`, many in `npm run test:soak`. */
export interface Rounds {
  readonly rounds: number;
  /** Returns a number in [0, 1) that depends on the seed of the test. */
  readonly random: () => number;
}

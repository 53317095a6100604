/** The two clocks of a service, which stand still unless they are moved. */
export interface ManualClocks {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds since any moment. */
  readonly monotonic: () => number;
  /** Time passes: both clocks show it. */
  readonly pass: (ms: number) => void;
  /** The wall clock alone is set, ahead or back. */
  readonly step: (ms: number) => void;
}

export function manualClocks(start = 1_800_000_000_000): ManualClocks {
  let wall = start;
  let elapsed = 0;
  return {
    now: () => wall,
    monotonic: () => elapsed,
    pass(ms) {
      wall += ms;
      elapsed += ms;
    },
    step(ms) {
      wall += ms;
    },
  };
}

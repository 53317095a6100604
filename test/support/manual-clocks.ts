/** The two clocks of a service. They change only when a test moves them. */
export interface ManualClocks {
  /** Unix milliseconds. */
  readonly now: () => number;
  /** Milliseconds since an arbitrary moment. */
  readonly monotonic: () => number;
  /** Advances both clocks. */
  readonly pass: (ms: number) => void;
  /** Moves only the wall clock, ahead or back. */
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

import { DEFAULT_WIDTH } from "./terminal-text.ts";

/** How text is shown on an output stream. */
export interface Display {
  readonly isTerminal: boolean;
  readonly colours: boolean;
  /** Whether a line can be overwritten, as a progress bar does. */
  readonly redraws: boolean;
  /** Columns at this moment: a terminal can be resized. */
  readonly width: () => number;
}

/** The display of a pipe or a file. */
export const PLAIN_DISPLAY: Display = {
  isTerminal: false,
  colours: false,
  redraws: false,
  width: () => DEFAULT_WIDTH,
};

/** Minimum width of a line in columns. A narrower terminal wraps the line itself. */
const MIN_WIDTH = 40;

/**
 * Returns the display of a stream. A non-empty `NO_COLOR` (https://no-color.org) turns colours off. `TERM=dumb` turns off colours
 * and redrawing.
 */
export function displayOf(
  stream: { readonly isTTY?: boolean; readonly columns?: number },
  env: Readonly<Record<string, string | undefined>>,
): Display {
  if (!stream.isTTY) {
    return PLAIN_DISPLAY;
  }
  const isDumb = env["TERM"] === "dumb";
  return {
    isTerminal: true,
    colours: !isDumb && !env["NO_COLOR"],
    redraws: !isDumb,
    // A terminal that does not know its size has 0 columns.
    width: () => Math.max(MIN_WIDTH, stream.columns || DEFAULT_WIDTH),
  };
}

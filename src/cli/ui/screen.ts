import type { Output } from "../io.ts";

/* Control sequences of xterm, which all terminals in use know. */
const ENTER = "\u001b[?1049h\u001b[?25l";
const LEAVE = "\u001b[?25h\u001b[?1049l";
const HOME = "\u001b[H";
const CLEAR_LINE = "\u001b[K";
const CLEAR_BELOW = "\u001b[J";

const DEFAULT_ROWS = 24;

/** A second screen of the terminal, whose content is replaced in place. */
export interface Screen {
  /** Replaces the content. Lines that do not fit into the window are left out, and the last line says how many. */
  readonly draw: (lines: readonly string[]) => void;
  /** Returns to the first screen, with its content and the cursor as before. */
  readonly close: () => void;
}

export function createScreen(
  output: Output & { readonly rows?: number },
): Screen {
  output.write(ENTER);
  return {
    draw(lines) {
      const rows = output.rows || DEFAULT_ROWS;
      const fitting =
        lines.length <= rows
          ? lines
          : [
              ...lines.slice(0, rows - 1),
              `(${lines.length - rows + 1} more lines: enlarge the window)`,
            ];
      const text = fitting.map((line) => line + CLEAR_LINE).join("\n");
      output.write(HOME + text + CLEAR_BELOW);
    },
    close() {
      output.write(LEAVE);
    },
  };
}

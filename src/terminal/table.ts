import { coloured } from "./colours.ts";

export type Colour = Parameters<typeof coloured>[0];

/** The text of a cell, without escape sequences. */
export type Cell = string | { readonly text: string; readonly colour: Colour };

export interface Column {
  readonly title: string;
  readonly align?: "right";
}

const GAP = "  ";
const MIN_COLUMN = 6;

/**
 * Formats a table with a line of titles. If it is wider than `width`, the widest columns are narrowed, and texts that do not
 * fit are truncated.
 */
export function table(
  columns: readonly Column[],
  rows: readonly (readonly Cell[])[],
  options: { readonly width: number; readonly colours: boolean },
): string[] {
  const widths = columns.map(({ title }, i) =>
    Math.max(title.length, ...rows.map((row) => textOf(row[i]).length)),
  );
  narrow(widths, options.width - GAP.length * (columns.length - 1));

  const line = (cells: readonly Cell[]): string => {
    const padded = columns.map(({ align }, i) => {
      const width = widths[i] ?? 0;
      const text = clip(textOf(cells[i]), width);
      const spaces = " ".repeat(width - text.length);
      const shown = paint(cells[i], text, options.colours);
      return align === "right" ? spaces + shown : shown + spaces;
    });
    return padded.join(GAP).trimEnd();
  };
  return [line(columns.map(({ title }) => title)), ...rows.map(line)];
}

/** Narrows the widest columns until all fit into `room`. */
function narrow(widths: number[], room: number): void {
  let excess = widths.reduce((sum, width) => sum + width, 0) - room;
  while (excess > 0) {
    const widest = Math.max(...widths);
    if (widest <= MIN_COLUMN) {
      return;
    }
    widths[widths.indexOf(widest)] = widest - 1;
    excess -= 1;
  }
}

function textOf(cell: Cell | undefined): string {
  return typeof cell === "object" ? cell.text : (cell ?? "");
}

function clip(text: string, width: number): string {
  return text.length <= width ? text : `${text.slice(0, width - 3)}...`;
}

function paint(cell: Cell | undefined, text: string, colours: boolean): string {
  return colours && typeof cell === "object"
    ? coloured(cell.colour, text)
    : text;
}

// Parts of Markdown documents, with lines of at most 120 characters.

const LINE_LENGTH = 120;

/** Code and links stay on one line. A number with a full stop must not begin a line, because it would begin a list. */
const WORD = /(?:`[^`]*`|\[[^\]]*\]\([^)]*\)|[^\s`[]|[`[])+(?: \d+\.(?!\S))?/g;

/** Breaks a paragraph or a list item into lines. `indent` begins all lines but the first. */
export function wrap(text, indent = "") {
  const lines = [];
  let line = "";
  for (const [word] of text.matchAll(WORD)) {
    if (line.trim() !== "" && `${line} ${word}`.length > LINE_LENGTH) {
      lines.push(line);
      line = indent + word;
    } else {
      line += line === "" ? word : ` ${word}`;
    }
  }
  return [...lines, line].join("\n");
}

export const list = (items) =>
  items.map((item) => wrap(`- ${item}`, "  ")).join("\n");

/** Numbered steps. A step is its text, or its text and a code block. */
export const steps = (items) =>
  items
    .map(([text, block], index) =>
      [
        wrap(`${index + 1}. ${text}`, "   "),
        ...(block === undefined
          ? []
          : ["", block.replaceAll(/^/gm, "   "), ""]),
      ].join("\n"),
    )
    .join("\n");

export const code = (language, lines) =>
  `\`\`\`${language}\n${lines.join("\n")}\n\`\`\``;

/** A table whose columns are aligned, as prettier writes it. */
export function table(head, rows) {
  const widths = head.map((_, column) =>
    Math.max(3, ...[head, ...rows].map((cells) => cells[column].length)),
  );
  const line = (cells) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column])).join(" | ")} |`;
  return [
    line(head),
    line(widths.map((width) => "-".repeat(width))),
    ...rows.map(line),
  ].join("\n");
}

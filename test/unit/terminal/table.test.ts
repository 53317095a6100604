import { describe, expect, it } from "@jest/globals";
import { table } from "../../../src/terminal/table.ts";

const COLUMNS = [
  { title: "NAME" },
  { title: "COUNT", align: "right" },
  { title: "STATE" },
] as const;
const WIDE = { width: 80, colours: false };

describe("a table", () => {
  it("aligns its columns, without spaces at the ends of lines", () => {
    expect(
      table(
        COLUMNS,
        [
          ["billing", "7", "ok"],
          ["ci", "12345678", { text: "paused", colour: "red" }],
        ],
        WIDE,
      ),
    ).toEqual([
      "NAME        COUNT  STATE",
      "billing         7  ok",
      "ci       12345678  paused",
    ]);
  });

  it("colours only the text of a cell", () => {
    const [, row] = table(
      COLUMNS,
      [["ci", "1", { text: "ok", colour: "green" }]],
      { width: 80, colours: true },
    );
    expect(row).toBe("ci        1  \u001b[32mok\u001b[0m");
  });

  it("narrows its widest column to the width, and truncates what does not fit", () => {
    const lines = table(COLUMNS, [["n".repeat(60), "1", "s".repeat(20)]], {
      width: 40,
      colours: false,
    });
    expect(lines[1]).toBe(`${"n".repeat(12)}...      1  ${"s".repeat(13)}...`);
    expect(lines.map((line) => line.length)).toEqual([29, 40]);
  });
});

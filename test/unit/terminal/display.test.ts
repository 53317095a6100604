import { describe, expect, it } from "@jest/globals";
import { displayOf, PLAIN_DISPLAY } from "../../../src/terminal/display.ts";

const TERMINAL = { isTTY: true, columns: 120 };

describe("displayOf", () => {
  it("gives a pipe or a file neither colours nor its terminal's width", () => {
    const pipe = displayOf({ columns: 120 }, { TERM: "xterm" });
    expect(pipe).toBe(PLAIN_DISPLAY);
    expect(pipe.width()).toBe(80);
  });

  it.each([
    ["no variable", {}, true, true],
    ["TERM=xterm", { TERM: "xterm" }, true, true],
    ["an empty NO_COLOR", { NO_COLOR: "" }, true, true],
    ["NO_COLOR", { NO_COLOR: "0" }, false, true],
    ["TERM=dumb", { TERM: "dumb" }, false, false],
  ])("reads the environment: %s", (_what, env, colours, redraws) => {
    expect(displayOf(TERMINAL, env)).toMatchObject({
      isTerminal: true,
      colours,
      redraws,
    });
  });

  it("follows the width of a terminal that is resized", () => {
    const terminal = { isTTY: true, columns: 100 };
    const { width } = displayOf(terminal, {});
    expect(width()).toBe(100);
    terminal.columns = 200;
    expect(width()).toBe(200);
  });

  it.each([
    ["unknown", undefined, 80],
    ["0", 0, 80],
    ["1", 1, 40],
  ])("has a usable width when the columns are %s", (_what, columns, width) => {
    const stream = { isTTY: true, ...(columns !== undefined && { columns }) };
    expect(displayOf(stream, {}).width()).toBe(width);
  });
});

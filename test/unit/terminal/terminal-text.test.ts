import { expect, it } from "@jest/globals";
import { shownDuration } from "../../../src/terminal/terminal-text.ts";

it.each([
  [-5000, "0s"],
  [0, "0s"],
  [59_999, "59s"],
  [60_000, "1m"],
  [725_000, "12m 5s"],
  [3_600_000, "1h"],
  [3_605_000, "1h"],
  [93_784_000, "1d 2h"],
])("shows a duration of %d ms as %s", (milliseconds, text) => {
  expect(shownDuration(milliseconds)).toBe(text);
});

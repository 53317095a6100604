import { expect, it } from "@jest/globals";
import { createDueClock } from "../../../src/delivery/due-clock.ts";
import { manualClocks } from "../../support/manual-clocks.ts";

it("the clock of due times follows the wall clock forwards, and never steps back", () => {
  const clocks = manualClocks(1_000_000);
  const dueNow = createDueClock(clocks);
  expect(dueNow()).toBe(1_000_000);
  clocks.pass(0.4);
  clocks.step(-0.4);
  // The store accepts only whole milliseconds.
  expect(dueNow()).toBe(1_000_000);
  clocks.step(-3_600_000);
  clocks.pass(5000);
  expect(dueNow()).toBe(1_005_000);
  clocks.step(3_600_000);
  expect(dueNow()).toBe(1_005_000);
  clocks.step(60_000);
  expect(dueNow()).toBe(1_065_000);
  clocks.step(-60_000);
  clocks.pass(1000);
  expect(dueNow()).toBe(1_066_000);
});

import { describe, expect, it } from "@jest/globals";
import { ByteBudget } from "../../../src/audit/byte-budget.ts";

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MB = 1_000_000;

/** Requests an entry of 1,000 bytes each second until `until`. Returns the times at which it was granted. */
function flood(
  budget: ByteBudget,
  from: number,
  until: number,
  isFirst: boolean,
): number[] {
  const granted: number[] = [];
  for (let at = from; at < until; at += 1000) {
    if (budget.take(1000, at, isFirst)) {
      granted.push(at);
    }
  }
  return granted;
}

describe("the budget of bytes a day", () => {
  it("grants at most a day's bytes in any 24 hours", () => {
    const granted = flood(new ByteBudget(8 * MB, 0), 0, 3 * DAY, true);
    let first = 0;
    let most = 0;
    granted.forEach((at, last) => {
      while (granted[first]! <= at - DAY) {
        first += 1;
      }
      most = Math.max(most, last - first + 1);
    });
    expect(most).toBeGreaterThan(7900);
    expect(most).toBeLessThanOrEqual(8000);
  });

  it("grants a quarter of a day's bytes at once, and the rest evenly over the day", () => {
    const budget = new ByteBudget(64 * MB, 0);
    let atOnce = 0;
    while (budget.take(1000, 0, true)) {
      atOnce += 1;
    }
    expect(atOnce).toBe(16_000);
    // Two megabytes an hour, until the burst is refilled.
    expect(budget.left(HOUR)).toBeCloseTo(2 * MB, 0);
    expect(budget.left(8 * HOUR)).toBeCloseTo(16 * MB, 0);
    expect(budget.left(DAY)).toBeCloseTo(16 * MB, 0);
  });

  it("reserves bytes for addresses without a recent entry", () => {
    const budget = new ByteBudget(64 * MB, 0);
    while (budget.take(1000, 0, false)) {
      // One address takes as much as it can.
    }
    expect(budget.left(0)).toBe(MB);
    expect(budget.take(1000, 0, true)).toBe(true);
    expect(budget.take(1000, 0, false)).toBe(false);
  });

  it("refills nothing when the time goes back, and no time counts twice", () => {
    const budget = new ByteBudget(64 * MB, 10 * HOUR, 0);
    expect(budget.left(9 * HOUR)).toBe(0);
    expect(budget.left(10 * HOUR)).toBe(0);
    expect(budget.left(11 * HOUR)).toBeCloseTo(2 * MB, 0);
  });
});

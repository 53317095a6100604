import { describe, expect, it } from "@jest/globals";
import { createAttemptRate } from "../../../src/delivery/attempt-rate.ts";
import { seededRandom } from "../../support/seeded-random.ts";

describe("the rate limit of a destination", () => {
  let now = 0;
  const rateOf = (attempts: number, perMs: number) => {
    now = 0;
    return createAttemptRate({ attempts, perMs }, { monotonic: () => now });
  };

  it("allows the maximum at once, and the next attempt when the oldest leaves the period", () => {
    const rate = rateOf(3, 1000);
    expect([rate.room(8), rate.waitMs()]).toEqual([3, 0]);
    rate.started(1);
    now = 400;
    expect(rate.room(8)).toBe(2);
    rate.started(2);
    expect([rate.room(8), rate.waitMs()]).toEqual([0, 600]);
    now = 999.5;
    expect([rate.room(8), rate.waitMs()]).toEqual([0, 0.5]);
    now = 1000;
    expect([rate.room(8), rate.waitMs()]).toEqual([1, 0]);
    now = 1400;
    expect(rate.room(8)).toBe(3);
  });

  it("never allows more attempts than are free", () => {
    const rate = rateOf(3, 1000);
    expect([rate.room(2), rate.room(0)]).toEqual([2, 0]);
  });

  it("never exceeds the maximum in any period", () => {
    const random = seededRandom(7);
    const rate = rateOf(20, 1000);
    const starts: number[] = [];
    while (starts.length < 2000) {
      now += Math.floor(random() * 60);
      const count = rate.room(Math.floor(random() * 9));
      rate.started(count);
      starts.push(...Array<number>(count).fill(now));
    }
    const most = Math.max(
      ...starts.map(
        (from, index) =>
          starts.slice(index).filter((at) => at < from + 1000).length,
      ),
    );
    expect(most).toBe(20);
  });
});

import { describe, expect, it } from "@jest/globals";
import { createLogLimiter } from "../../../src/telemetry/log-limiter.ts";
import { eventually } from "../../support/eventually.ts";

describe("a log limiter", () => {
  const start = (windowMs: number) => {
    const reported: [string, number][] = [];
    const limiter = createLogLimiter({
      max: 2,
      windowMs,
      onSuppressed: (...what) => reported.push(what),
    });
    return { ...limiter, reported };
  };

  it("allows the maximum for each key, and reports the number of suppressed lines", () => {
    const { take, flush, reported } = start(3_600_000);
    expect(["a", "a", "a", "b", "a"].map(take)).toEqual([
      true,
      true,
      false,
      true,
      false,
    ]);
    expect(reported).toEqual([]);
    flush();
    expect(reported).toEqual([["a", 2]]);
    expect(take("a")).toBe(true);
  });

  it("starts a new window when the first ends, and reports without a call", async () => {
    const { take, reported } = start(20);
    expect([1, 2, 3].map(() => take("a"))).toEqual([true, true, false]);
    await eventually(() => reported.length > 0);
    expect(reported).toEqual([["a", 1]]);
    expect(take("a")).toBe(true);
  });
});

import { describe, expect, it } from "@jest/globals";
import { createLogLimiter } from "../../../src/telemetry/log-limiter.ts";
import { eventually } from "../../support/eventually.ts";

describe("a limit of lines", () => {
  const start = (windowMs: number) => {
    const reported: [string, number][] = [];
    const limiter = createLogLimiter({
      max: 2,
      windowMs,
      onSuppressed: (...what) => reported.push(what),
    });
    return { ...limiter, reported };
  };

  it("lets some of each key through, and reports the number of the others", () => {
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

  it("begins anew after its time, and reports by itself", async () => {
    const { take, reported } = start(20);
    expect([1, 2, 3].map(() => take("a"))).toEqual([true, true, false]);
    await eventually(() => reported.length > 0);
    expect(reported).toEqual([["a", 1]]);
    expect(take("a")).toBe(true);
  });
});

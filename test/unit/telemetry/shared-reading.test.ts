import { beforeEach, describe, expect, it } from "@jest/globals";
import { createSharedReading } from "../../../src/telemetry/metrics/shared-reading.ts";

describe("a shared reading", () => {
  let clock: number;
  let errors: unknown[];
  let pending: {
    resolve: (value: string) => void;
    reject: (e: Error) => void;
  }[];

  beforeEach(() => {
    clock = 0;
    errors = [];
    pending = [];
  });

  const create = (timeoutMs = 60_000) =>
    createSharedReading(
      () =>
        new Promise<string>((resolve, reject) => {
          pending.push({ resolve, reject });
        }),
      {
        timeoutMs,
        monotonic: () => clock,
        onError: (error) => errors.push(error),
      },
    );

  it("is shared by concurrent calls, and reused for 100 times as long as it took", async () => {
    const read = create();
    const both = [read(), read()];
    clock = 3;
    pending[0]!.resolve("first");
    expect(await Promise.all(both)).toEqual(["first", "first"]);
    clock = 302;
    expect(await read()).toBe("first");
    expect(pending).toHaveLength(1);
    clock = 303;
    const next = read();
    pending[1]!.resolve("second");
    expect(await next).toBe("second");
  });

  it("is reused for 10 s at most", async () => {
    const read = create();
    const first = read();
    clock = 5000;
    pending[0]!.resolve("first");
    await first;
    clock = 14_999;
    expect(await read()).toBe("first");
    clock = 15_000;
    void read();
    expect(pending).toHaveLength(2);
  });

  it("is null if it fails, and the error is reported", async () => {
    const read = create();
    const first = read();
    const error = new Error("away");
    pending[0]!.reject(error);
    expect(await first).toBeNull();
    expect(errors).toEqual([error]);
    const next = read();
    pending[1]!.resolve("back");
    expect(await next).toBe("back");
  });

  it("is null after the time limit, and continues for later calls", async () => {
    const read = create(1);
    expect(await read()).toBeNull();
    expect(await read()).toBeNull();
    expect(pending).toHaveLength(1);
    pending[0]!.resolve("late");
    await new Promise(setImmediate);
    clock = -1;
    expect(await read()).toBe("late");
  });
});

import { describe, expect, it } from "@jest/globals";
import { settleWithRetry } from "../../../src/delivery/settle-with-retry.ts";
import { StoreError } from "../../../src/errors.ts";
import type { Settlement } from "../../../src/store/records.ts";

describe("an outcome that cannot be written", () => {
  const settlement = {} as Settlement;
  const fault = (fatal: boolean, code = "SQLITE_FULL") =>
    new StoreError("no", { code, fatal });

  it("is retried while the fault is temporary, and reported once", async () => {
    const reports: unknown[] = [];
    let tries = 0;
    await settleWithRetry(
      {
        settle: async () => {
          tries += 1;
          if (tries < 3) {
            throw fault(false);
          }
          return true;
        },
        onError: (error) => reports.push(error),
      },
      settlement,
      new AbortController().signal,
    );
    expect([tries, reports.length]).toEqual([3, 1]);
  });

  it.each([
    ["is fatal", fault(true), false],
    ["is a bug of the program", fault(false, "STORE_PROGRAM_FAULT"), false],
    ["persists until the stop", fault(false), true],
  ])("is not retried when the fault %s", async (_what, error, aborted) => {
    let tries = 0;
    const signal = aborted ? AbortSignal.abort() : new AbortController().signal;
    const written = settleWithRetry(
      {
        settle: async () => {
          tries += 1;
          throw error;
        },
        onError: () => undefined,
      },
      settlement,
      signal,
    );
    await expect(written).rejects.toBe(error);
    expect(tries).toBe(1);
  });
});

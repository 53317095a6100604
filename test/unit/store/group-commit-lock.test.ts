import { describe, expect, it } from "@jest/globals";
import { StoreError } from "../../../src/errors.ts";
import { createGroupCommit } from "../../../src/store/group-commit.ts";
import { eventually } from "../../support/eventually.ts";

/** A group commit whose transactions find the lock held while `isLocked` returns true. */
function groupCommit(
  isLocked: (transaction: number) => boolean,
  options: { maxBatch: number; maxBytes: number },
  monotonic = () => 0,
) {
  let transactions = 0;
  let timeouts = 0;
  const group = createGroupCommit(
    {
      transact: (work) => {
        transactions += 1;
        if (isLocked(transactions)) {
          return false;
        }
        work();
        return true;
      },
      lockTimeout: () => {
        timeouts += 1;
        return new StoreError(`timeout ${timeouts}`, {
          code: "SQLITE_BUSY",
          fatal: false,
        });
      },
      monotonic,
    },
    options,
  );
  return {
    ...group,
    transactions: () => transactions,
    timeouts: () => timeouts,
  };
}

describe("a group commit while another process holds the lock", () => {
  it("runs its jobs in their order after the lock is free", async () => {
    const group = groupCommit((n) => n === 2, { maxBatch: 1, maxBytes: 100 });
    const done: number[] = [];
    await Promise.all(
      [1, 2, 3, 4].map((n) => group.submit(() => done.push(n))),
    );
    expect(done).toEqual([1, 2, 3, 4]);
    expect(group.timeouts()).toBe(0);
  });

  it("runs new jobs after those that already wait", async () => {
    let isLocked = true;
    const group = groupCommit(() => isLocked, { maxBatch: 1, maxBytes: 100 });
    const done: number[] = [];
    const jobs = [1, 2].map((n) => group.submit(() => done.push(n)));
    await eventually(() => group.transactions() >= 2);
    jobs.push(group.submit(() => done.push(3)));
    isLocked = false;
    await Promise.all(jobs);
    expect(done).toEqual([1, 2, 3]);
  });

  it("fails all jobs that have waited too long with one error, and continues", async () => {
    let isLocked = true;
    let now = 0;
    const group = groupCommit(
      () => isLocked,
      { maxBatch: 2, maxBytes: 100 },
      () => now,
    );
    const jobs = [1, 2, 3, 4, 5].map((n) => group.submit(() => n, n * 40_000));
    now = 2000;
    const results = await Promise.allSettled(jobs);
    const reasons = results.map((result) =>
      result.status === "rejected" ? (result.reason as Error).message : null,
    );
    expect(reasons).toEqual(Array.from({ length: 5 }, () => "timeout 1"));
    isLocked = false;
    expect(await group.submit(() => "after")).toBe("after");
    expect(group.timeouts()).toBe(1);
  });

  it("runs each job once, and only when it has the lock", async () => {
    const group = groupCommit((n) => n <= 3, { maxBatch: 10, maxBytes: 100 });
    const ranIn: number[] = [];
    await Promise.all([
      group.submit(() => ranIn.push(group.transactions())),
      group.submit(() => ranIn.push(group.transactions()), 70_000),
    ]);
    expect(ranIn).toEqual([4, 4]);
  });
});

describe("a group commit", () => {
  it("rejects only the jobs of the transaction in which one throws", async () => {
    const group = groupCommit(() => false, { maxBatch: 2, maxBytes: 100 });
    const results = await Promise.allSettled([
      group.submit(() => 1),
      group.submit(() => {
        throw new Error("no");
      }),
      group.submit(() => 3),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
      "fulfilled",
    ]);
  });
});

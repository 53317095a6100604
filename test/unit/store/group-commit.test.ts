import { describe, expect, it } from "@jest/globals";
import { StoreError } from "../../../src/errors.ts";
import { createGroupCommit } from "../../../src/store/group-commit.ts";

describe("a group commit", () => {
  const groupCommit = (
    transact: (work: () => void) => boolean,
    options: { maxBatch: number; maxBytes: number },
  ) =>
    createGroupCommit(
      {
        transact,
        lockTimeout: () =>
          new StoreError("locked", { code: "SQLITE_BUSY", fatal: false }),
      },
      options,
    );

  it("puts the jobs of one turn into one transaction, up to the batch limit", async () => {
    const batches: number[] = [];
    let inside = 0;
    const group = groupCommit(
      (work) => {
        inside = 0;
        work();
        batches.push(inside);
        return true;
      },
      { maxBatch: 3, maxBytes: 100 },
    );
    const jobs = Array.from({ length: 7 }, (_, n) =>
      group.submit(() => {
        inside += 1;
        return n;
      }),
    );
    expect(await Promise.all(jobs)).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(batches).toEqual([3, 3, 1]);
  });

  it("runs small jobs before large ones, with one large job in each batch, within the byte limit", async () => {
    const batches: number[][] = [];
    const group = groupCommit(
      (work) => {
        batches.push([]);
        work();
        return true;
      },
      { maxBatch: 4, maxBytes: 500_000 },
    );
    const sizes = [600_000, 1, 200_000, 300_000, 2, 100_000, 3, 4, 5];
    await Promise.all(
      sizes.map((bytes) =>
        group.submit(() => batches.at(-1)?.push(bytes), bytes),
      ),
    );
    expect(batches).toEqual([
      [1, 2, 3, 4, 600_000],
      [5, 200_000],
      [300_000, 100_000],
    ]);
  });

  it("resolves jobs only after the commit, and rejects all jobs of a failed transaction", async () => {
    let fail = true;
    const group = groupCommit(
      (work) => {
        work();
        if (fail) {
          throw new Error("no commit");
        }
        return true;
      },
      { maxBatch: 10, maxBytes: 100 },
    );
    const results = await Promise.allSettled([
      group.submit(() => 1),
      group.submit(() => 2),
    ]);
    expect(results.map(({ status }) => status)).toEqual([
      "rejected",
      "rejected",
    ]);
    fail = false;
    expect(await group.submit(() => 3)).toBe(3);
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  actionsOf,
  draftOf,
  openStoreOfKind,
  recordOf,
  SQLITE_KINDS,
  type TestStore,
} from "../../support/stores.ts";

/** An entry that cannot be written as JSON, so that its transaction fails. */
const BROKEN = {
  ...draftOf("config.reloaded"),
  metadata: { broken: 1n },
};

describe.each(SQLITE_KINDS)("a transaction of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  it("writes all calls of one turn or none, and continues the chain", async () => {
    await test.store().append(draftOf("server.started"));
    const results = await Promise.allSettled([
      test.store().append(draftOf("secret.overdue")),
      test.record("a"),
      test.store().checkpoint(),
      test.store().append(BROKEN),
    ]);
    for (const result of results) {
      expect(result).toMatchObject({
        status: "rejected",
        reason: { name: "StoreError" },
      });
    }
    expect(await test.record("a")).toBe("accepted");
    const trail = await test.trail();
    expect(actionsOf(trail)).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
    ]);
    expect(trail[1]!.metadata).toMatchObject({ failures: 1 });
  });

  it("fails with SQLite's code when another process holds the lock for too long, for all its calls", async () => {
    const release = await test.database.block();
    const record = recordOf("a");
    const results = await Promise.allSettled([
      test.store().record(record),
      test.store().append(draftOf("server.started")),
    ]);
    await release();
    expect(results).toMatchObject([
      { status: "rejected", reason: { code: "SQLITE_BUSY", fatal: false } },
      { status: "rejected", reason: { code: "SQLITE_BUSY", fatal: false } },
    ]);
    expect(await test.store().record(record)).toMatchObject({
      outcome: "accepted",
    });
    const trail = await test.trail();
    expect(trail).toMatchObject([
      { action: "store.failed", metadata: { code: "SQLITE_BUSY" } },
      { action: "webhook.accepted" },
    ]);
    // Each call has its own time limit, so the second one may fail one retry later.
    expect([1, 2]).toContain(trail[0]!.metadata["failures"]);
  });
});

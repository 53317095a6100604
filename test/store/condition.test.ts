import { beforeEach, describe, expect, it } from "@jest/globals";
import { publishedState } from "../support/published-state.ts";
import { KINDS, openStoreOfKind, type TestStore } from "../support/stores.ts";

const DAY = 86_400_000;

describe.each(KINDS)("the gauges of a $name store", (kind) => {
  it("are the exact number of pending deliveries and the time of the oldest", async () => {
    const test = await openStoreOfKind(kind);
    expect(await test.store().destinationGauges()).toEqual([]);
    await test.record("a", { destinations: ["d", "e"], receivedAt: 4000 });
    await test.record("b", { receivedAt: 3000 });
    await test.record("c", { receivedAt: 5000 });
    const reader = await test.reader();
    for (const one of [test.store(), reader]) {
      expect(await one.destinationGauges()).toEqual([
        { destination: "d", pending: 3, oldestPendingSince: 3000 },
        { destination: "e", pending: 1, oldestPendingSince: 4000 },
      ]);
    }
    const [first, second, third] = await test.claim();
    for (const claimed of [first!, second!]) {
      await test.settle(claimed, { state: "exhausted" });
    }
    await test.settle(third!, { state: "pending", dueAt: 9000 });
    const remaining = [first, second, third].at(-1)!.event.receivedAt;
    expect(await reader.destinationGauges()).toEqual([
      { destination: "d", pending: 1, oldestPendingSince: remaining },
      { destination: "e", pending: 1, oldestPendingSince: 4000 },
    ]);
    // A redelivery is pending since the request.
    test.setClock(6000);
    await test.redeliver(first!.id);
    expect((await reader.destinationGauges())[0]).toEqual({
      destination: "d",
      pending: 2,
      oldestPendingSince: Math.min(remaining, 6000),
    });
  });
});

describe.each(KINDS)("the last uses in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
    test.setClock(400 * DAY);
  });

  it("are the latest time of each key, over processes and restarts", async () => {
    const at = test.now();
    await test.store().noteUse([
      { source: "hex", keyId: "00000001", at: at - 2 },
      { source: "hex", keyId: "00000002", at },
      { source: "github", keyId: "00000001", at: at - 1 },
      { source: "hex", keyId: "00000001", at: at - 3 },
    ]);
    const other = await test.openAgain({ delivers: false });
    await other.noteUse([
      { source: "hex", keyId: "00000001", at },
      { source: "hex", keyId: "00000002", at: at - 9 },
    ]);
    await other.noteUse([]);
    const expected = [
      { source: "github", keyId: "00000001", at: at - 1 },
      { source: "hex", keyId: "00000001", at },
      { source: "hex", keyId: "00000002", at },
    ];
    const reader = await test.reader();
    expect(await reader.lastUses()).toEqual(expected);
    await test.restart();
    expect(await test.store().lastUses()).toEqual(expected);
  });

  it("do not stay in the future after a clock was ahead", async () => {
    const use = { source: "hex", keyId: "00000001" };
    const at = test.now();
    test.setClock(at + DAY);
    await test.store().noteUse([{ ...use, at: at + DAY }]);
    test.setClock(at);
    await test.store().noteUse([{ ...use, at }]);
    expect(await test.store().lastUses()).toEqual([{ ...use, at }]);
  });

  it("are forgotten after a year", async () => {
    const at = test.now();
    const used = (keyId: string, ago: number) => ({
      source: "hex",
      keyId,
      at: at - ago,
    });
    await test
      .store()
      .noteUse([used("00000001", 0), used("00000002", 300 * DAY)]);
    test.setClock(at + 100 * DAY);
    await test.store().noteUse([]);
    expect(await test.store().lastUses()).toEqual([used("00000001", 0)]);
    // A use that is saved again is kept.
    test.setClock(at + 400 * DAY);
    const again = { ...used("00000001", 0), at: test.now() };
    await test.store().noteUse([again]);
    expect(await test.store().lastUses()).toEqual([again]);
  });
});

describe.each(KINDS)("the sizes of a $name store", (kind) => {
  it("are those of its files and of the free space", async () => {
    const test = await openStoreOfKind(kind);
    await test.record("a", { body: "x".repeat(100_000) });
    const bytes = await test.store().storeBytes();
    expect(bytes).toEqual({
      ...(await (await test.reader()).storeBytes()),
      // Other processes use the same disk.
      free: bytes.free,
    });
    const { driver } = test.database.url;
    expect(bytes.database).toBeGreaterThan(4000);
    expect((bytes.log ?? 0) > 100_000).toBe(driver === "sqlite");
    expect((bytes.free ?? 0) > 0).toBe(driver === "sqlite");
  });
});

describe.each(KINDS)("the published state in a $name store", (kind) => {
  it("contains the facts of the process", async () => {
    const test = await openStoreOfKind(kind);
    const state = publishedState([], {
      lastMinute: { accepted: 12, repeated: 1, rejected: 3 },
      sinks: [{ name: "file", lag: 2, degradedSince: 3000 }],
    });
    await test.store().publishStatus(state);
    expect(await (await test.reader()).processStatuses()).toEqual([
      { writer: "w1", publishedAt: 5000, ...state },
    ]);
  });

  it("has no facts of a process of an older version", async () => {
    const test = await openStoreOfKind(kind);
    await test.store().publishStatus(publishedState());
    // The older version does not know the column.
    await test.database.execute("UPDATE process_status SET service = NULL");
    expect(await test.store().processStatuses()).toEqual([
      { writer: "w1", publishedAt: 5000, destinations: [], service: null },
    ]);
  });

  it("is unknown if it has another form", async () => {
    const test = await openStoreOfKind(kind);
    const unknown = [
      { writer: "w1", publishedAt: 5000, destinations: [], service: null },
    ];
    const { service } = publishedState();
    const source = { name: "hex", scheme: "hex", isDisabled: false };
    for (const broken of [
      "none",
      { ...service, readiness: "\u001b[2J" },
      { ...service, startedAt: 1e300 },
      { ...service, lastMinute: { ...service.lastMinute, rejected: "3" } },
      { ...service, sinks: [{ name: "file", lag: "3", degradedSince: null }] },
      { ...service, sources: [{ ...source, secrets: [{ keyId: 5 }] }] },
      { ...service, sources: [{ ...source, secrets: null }] },
    ]) {
      await test.store().publishStatus({
        destinations: [{ name: "d" }, null],
        service: broken,
      } as never);
      expect(await test.store().processStatuses()).toEqual(unknown);
    }
    await test.database.execute("UPDATE process_status SET service = '{'");
    expect(await test.store().processStatuses()).toEqual(unknown);
  });
});

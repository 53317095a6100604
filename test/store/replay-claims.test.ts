import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  KINDS,
  openStoreOfKind,
  recordOf,
  type TestStore,
} from "../support/stores.ts";
import { readColumn } from "../support/store-file.ts";

describe.each(KINDS)("the replay guard of a $name store", ({ openKind }) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(openKind);
  });

  const claims = () =>
    readColumn(test.file, "SELECT claimed_at FROM replay_claim ORDER BY 1");

  it("separates events of two sources with the same id", async () => {
    const one = { source: "hex", body: "{}" };
    const other = { source: "other", body: '{"o":1}' };
    expect(await test.record("a", { ...one, mac: 1 })).toBe("accepted");
    expect(await test.record("a", { ...other, mac: 2 })).toBe("accepted");
    expect(await test.record("a", { ...other, mac: 3 })).toBe("duplicate");
    expect(await test.record("a", { ...other, mac: 2 })).toBe("replayed");
    expect(await test.record("a", { ...one, mac: 4 })).toBe("duplicate");
    expect(await test.record("a", { ...one, body: "{ }", mac: 5 })).toBe(
      "conflict",
    );
  });

  it("writes nothing for a replay, with the same or another body", async () => {
    await test.record("a", { mac: 1 });
    await test.record("a", { mac: 2, body: "{ }" });
    const before = await test.entries();
    expect(await test.record("a", { mac: 1 })).toBe("replayed");
    expect(await test.record("a", { mac: 2, body: "{ }" })).toBe(
      "replayed_conflict",
    );
    expect(await test.entries()).toEqual(before);
    expect(claims()).toHaveLength(1);
  });

  it("remembers requests without a signed time exactly as long as events", async () => {
    const timeless = { signedAt: null, body: "{ }" };
    for (const receivedAt of [1000, 4000, 9000]) {
      const id = `e${receivedAt}`;
      const mac = receivedAt / 100;
      await test.record(id, { signedAt: null, receivedAt, mac });
      expect(
        await test.record(id, { ...timeless, receivedAt, mac: mac + 1 }),
      ).toBe("conflict");
    }
    expect(claims()).toEqual([1000, 4000, 9000]);
    await test.store().purge({ now: 10_000, receivedBefore: 4000, from: null });
    expect(claims()).toEqual([4000, 9000]);
    expect(await test.record("e4000", { ...timeless, mac: 41 })).toBe(
      "replayed_conflict",
    );
  });

  it("is effective across a restart", async () => {
    await test.record("a", { mac: 1 });
    await test.record("a", { mac: 2 });
    await test.restart();
    expect(await test.record("a", { mac: 1 })).toBe("replayed");
    expect(await test.record("a", { mac: 2 })).toBe("replayed");
    expect(await test.record("a", { mac: 3 })).toBe("duplicate");
  });

  it("is shared by all processes on a store", async () => {
    const other = await test.openAgain();
    await test.record("a", { mac: 1 });
    expect(await other.record(recordOf("a", { mac: 1 }))).toBe("replayed");
    expect(await other.record(recordOf("a", { mac: 2 }))).toBe("duplicate");
    expect(await test.record("a", { mac: 2 })).toBe("replayed");
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  KINDS,
  openStoreOfKind,
  recordOf,
  type TestStore,
} from "../support/stores.ts";
import { DAY } from "../support/retention.ts";

describe.each(KINDS)("the replay guard of a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

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
  });

  it("remembers requests without a signed time exactly as long as events", async () => {
    const timeless = { signedAt: null, destinations: [], body: "{ }" };
    for (const day of [1, 4, 9]) {
      const receivedAt = day * DAY;
      const id = `e${day}`;
      await test.record(id, { ...timeless, body: "{}", receivedAt, mac: day });
      expect(
        await test.record(id, { ...timeless, receivedAt, mac: day + 100 }),
      ).toBe("conflict");
    }
    test.setClock(20 * DAY);
    let from: number | null = null;
    do {
      ({ next: from } = await test
        .store()
        .purge({ now: test.now(), receivedBefore: 4 * DAY, from }));
    } while (from !== null);
    const receivedAt = test.now();
    expect(await test.record("e4", { ...timeless, receivedAt, mac: 104 })).toBe(
      "replayed_conflict",
    );
    expect(await test.record("e9", { ...timeless, receivedAt, mac: 109 })).toBe(
      "replayed_conflict",
    );
    expect(await test.record("e1", { ...timeless, receivedAt, mac: 101 })).toBe(
      "accepted",
    );
  });

  it("forgets requests that were signed before a time, and never those without a signed time", async () => {
    const hour = 3600;
    await test.record("a", { mac: 1, signedAt: 5 * hour });
    for (const [mac, signedAt] of [
      [2, hour],
      [3, 2 * hour - 1],
      [4, 2 * hour],
      [5, null],
    ] as const) {
      expect(await test.record("a", { mac, signedAt })).toBe("duplicate");
    }
    const forget = async (signedBefore: number) => {
      let forgotten: number;
      do {
        forgotten = await test.store().forgetReplays(signedBefore, 1);
      } while (forgotten > 0);
    };
    await forget(2 * hour);
    for (const [mac, signedAt, outcome] of [
      [2, hour, "duplicate"],
      [3, 2 * hour - 1, "duplicate"],
      [4, 2 * hour, "replayed"],
      [5, null, "replayed"],
      [1, 5 * hour, "replayed"],
    ] as const) {
      expect([mac, await test.record("a", { mac, signedAt })]).toEqual([
        mac,
        outcome,
      ]);
    }
  });

  it("recognizes a captured request whose body and id were changed within what is signed", async () => {
    const captured = { coversKey: false, signedAt: null, mac: 1 } as const;
    expect(await test.record("a", { ...captured, body: "a=1&b=2" })).toBe(
      "accepted",
    );
    const changed = { ...captured, body: "b=2&a=1" } as const;
    expect(await test.record("b", changed)).toBe("replayed_conflict");
    expect(
      await test.store().record(recordOf("c", { ...changed, idSigned: false })),
    ).toEqual({ outcome: "replayed_conflict", id: "c" });
    expect(await test.record("a", { ...captured, body: "a=1&b=2" })).toBe(
      "replayed",
    );
    expect(await test.record("b", { ...changed, mac: 2 })).toBe("accepted");
    expect(
      await test.record("b", {
        ...changed,
        body: "b",
        mac: 4,
        idSigned: false,
      }),
    ).toBe("accepted");
    const again = { ...changed, mac: 3, body: "b=3" };
    expect(
      await Promise.all([test.record("d", again), test.record("e", again)]),
    ).toEqual(["accepted", "replayed_conflict"]);
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
    expect(await other.record(recordOf("a", { mac: 1 }))).toMatchObject({
      outcome: "replayed",
    });
    expect(await other.record(recordOf("a", { mac: 2 }))).toMatchObject({
      outcome: "duplicate",
    });
    expect(await test.record("a", { mac: 2 })).toBe("replayed");
  });
});

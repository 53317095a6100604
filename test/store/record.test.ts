import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import {
  actionsOf,
  KINDS,
  openStoreOfKind,
  type recordOf,
  type TestStore,
} from "../support/stores.ts";

function sha256(data: string | Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

describe.each(KINDS)("recording in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  const recordAll = (records: readonly Parameters<typeof recordOf>[]) =>
    Promise.all(records.map((args) => test.record(...args)));

  it("decides outcomes by its unique keys in the order of the calls, in one turn and in many", async () => {
    const outcomes = await recordAll([
      ["a", { mac: 1 }],
      ["a", { mac: 1 }],
      ["a", { mac: 2 }],
      ["a", { mac: 3, body: "{ }" }],
      ["b", { mac: 4 }],
    ]);
    expect(outcomes).toEqual([
      "accepted",
      "replayed",
      "duplicate",
      "conflict",
      "accepted",
    ]);
    expect(await test.record("a", { mac: 1 })).toBe("replayed");
    expect(await test.record("a", { mac: 2 })).toBe("replayed");
    expect(await test.record("a", { mac: 3, body: "{ }" })).toBe(
      "replayed_conflict",
    );
    expect(await test.record("a", { mac: 9, source: "other" })).toBe(
      "accepted",
    );
    expect(await test.record("a", { mac: 5 })).toBe("duplicate");
  });

  it("decides the order of one turn also when known and new ids are mixed", async () => {
    await recordAll([
      ["old", { mac: 1 }],
      ["older", { mac: 2 }],
    ]);
    expect(
      await recordAll([
        ["new", { mac: 3 }],
        ["old", { mac: 1 }],
        ["older", { mac: 4 }],
        ["new", { mac: 5, body: "{ }" }],
        ["older", { mac: 4 }],
        ["new", { mac: 3 }],
        ["newer", { mac: 6 }],
      ]),
    ).toEqual([
      "accepted",
      "replayed",
      "duplicate",
      "conflict",
      "replayed",
      "replayed",
      "accepted",
    ]);
    expect(actionsOf(await test.trail())).toHaveLength(6);
  });

  it("gives events the order of the calls of one turn", async () => {
    const ids = Array.from({ length: 300 }, (_, n) => `e${(n * 7) % 300}`);
    await recordAll(ids.map((id, n) => [id, { mac: n }]));
    const { events } = await test.store().scanEvents({
      filter: {
        state: null,
        destination: null,
        source: null,
        type: null,
        since: null,
        until: null,
      },
      order: "oldest",
      from: null,
      limit: 1000,
    });
    expect(events.map(({ id }) => id)).toEqual(ids);
  });

  it("writes the entries of many events in one turn in a whole chain", async () => {
    const total = 1000;
    await recordAll(
      Array.from({ length: total }, (_, n) => [`e${n}`, { mac: n }]),
    );
    const trail = (await test.trail()).filter(
      ({ action }) => action === "webhook.accepted",
    );
    expect(trail).toHaveLength(total);
    expect(new Set(trail.map(({ metadata }) => metadata["eventId"])).size).toBe(
      total,
    );
  });

  it("compares a replay key together with its signed time, within the sources with one secret", async () => {
    expect(
      await recordAll([
        ["a", { mac: 1, signedAt: 1000 }],
        ["b", { mac: 1, signedAt: 1001 }],
        ["c", { mac: 1, signedAt: null }],
        ["d", { mac: 1, signedAt: 1000, source: "other" }],
      ]),
    ).toEqual(["accepted", "accepted", "accepted", "accepted"]);
  });

  it("stores an event byte for byte, and a claim returns it with its delivery", async () => {
    const body = Buffer.from('{"x":"\u0000\xff"}', "latin1");
    await test.record("a", { body });

    const [delivery, ...more] = await test.claim();

    expect(more).toEqual([]);
    expect(delivery).toMatchObject({
      destination: "d",
      attempt: 1,
      event: { id: "a", source: "hex", type: "t", receivedAt: 5000 },
    });
    expect(delivery!.event.body.equals(body)).toBe(true);
    expect(await test.claim()).toEqual([]);
    expect(await test.store().nextDueAt("d")).toBe(6000);
  });

  it("returns body, id and type of an event byte for byte", async () => {
    const body = Buffer.from(Array.from({ length: 256 }, (_, n) => n));
    const [id, type] = ["e\0\u{1f600}x", "t\0.y"];
    await test.record(id, { type, body });
    expect(await test.record("e\0other", { mac: 2 })).toBe("accepted");
    expect(await test.record(id, { type, body })).toBe("replayed");
    const [claimed] = await test.claim();
    expect(claimed!.event).toMatchObject({ id, type });
    expect(Buffer.isBuffer(claimed!.event.body)).toBe(true);
    expect(claimed!.event.body.equals(body)).toBe(true);
    expect((await test.store().findEvents(id))[0]).toMatchObject({
      id,
      type,
      bodyBytes: 256,
      bodySha256: sha256(body),
    });
    await test.settle(claimed!);
    await test.redeliver(claimed!.id);
    expect((await test.entries()).at(-1)).toMatchObject({
      userId: "operator:alice",
      metadata: { source: "hex", eventId: id, eventType: type },
    });
  });

  it("accepts empty and very large bodies in one turn", async () => {
    const large = Buffer.alloc(6_000_000, "0123456789abcdef\0\xff", "latin1");
    expect(
      await recordAll([
        ["empty", { body: "" }],
        ["large", { body: large, mac: 2 }],
        ["small", { body: "s", mac: 3 }],
        ["next", { body: large.subarray(0, 3_000_000), mac: 4 }],
      ]),
    ).toEqual(["accepted", "accepted", "accepted", "accepted"]);
    for (const [id, body] of [
      ["empty", Buffer.alloc(0)],
      ["large", large],
      ["small", Buffer.from("s")],
      ["next", large.subarray(0, 3_000_000)],
    ] as const) {
      const [event] = await test.store().findEvents(id);
      expect(event).toMatchObject({
        bodyBytes: body.length,
        bodySha256: sha256(body),
      });
      expect((await test.store().readBody(event!.seq))!.equals(body)).toBe(
        true,
      );
    }
  });

  it.each([
    ["quotes and backslashes", `a"b'c\\d`],
    ["what separates values of an array", `{a,b},NULL,"c"`],
    ["U+0000 alone", "\0"],
    ["a byte order mark", "\ufeffa"],
    ["the longest id, in characters of 4 bytes", "\u{1f600}".repeat(128)],
  ])("accepts, finds and delivers an id with %s", async (_, id) => {
    expect(await test.record(id, { type: id, orderKey: id })).toBe("accepted");
    expect(await test.record(id, { type: id, mac: 2 })).toBe("duplicate");
    expect(await test.store().findEvents(id)).toMatchObject([{ id, type: id }]);
    const [claimed] = await test.claim();
    expect(claimed!.event).toMatchObject({ id, type: id });
    await test.settle(claimed!);
    expect((await test.trail())[0]!.metadata).toMatchObject({ eventId: id });
  });

  it("accepts ids and types with lone surrogates, which have no UTF-8, and keeps working", async () => {
    const outcomes = await recordAll([
      ["a\ud800", { type: "t\udfff", orderKey: "k\ud800" }],
      ["b", { mac: 2 }],
    ]);
    expect(outcomes).toEqual(["accepted", "accepted"]);
    expect(
      (await test.claim()).map(({ event }) => [event.id, event.type]),
    ).toEqual([
      ["a\ufffd", "t\ufffd"],
      ["b", "t"],
    ]);
    await test.trail();
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHash } from "node:crypto";
import {
  KINDS,
  openStoreOfKind,
  recordOf,
  type RecordOptions,
  type TestStore,
} from "../support/stores.ts";

const digestOf = (body: string): string =>
  createHash("sha256").update(body).digest("hex");

/** The part that is appended to an id that another event has. */
const suffixOf = (body: string): string => `~${digestOf(body).slice(0, 12)}`;

/** The scheme of the sender signs only the body. */
const UNSIGNED = { idSigned: false, signedAt: null } as const;

describe.each(KINDS)("ids that are not signed, in a $name store", (kind) => {
  let test: TestStore;

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
  });

  /** Records a message whose replay key is that of its body, unless the options have another one. */
  const record = async (
    id: string,
    body: string,
    options: RecordOptions = {},
  ) => {
    const request = { ...UNSIGNED, body, ...options };
    const mac = Number.parseInt(digestOf(body).slice(0, 8), 16);
    const recorded = await test
      .store()
      .record(recordOf(id, { mac, ...request }));
    return [recorded.outcome, recorded.id];
  };

  const stored = async () => {
    const found = await test.database.query(
      "SELECT id FROM event ORDER BY seq",
    );
    return found.map(([id]) => String(id));
  };

  it("do not make a captured body another event", async () => {
    expect(await record("a", "1")).toEqual(["accepted", "a"]);
    expect(await record("a", "1")).toEqual(["replayed", "a"]);
    expect(await record("b", "1")).toEqual(["replayed", "a"]);
    expect(await record(digestOf("1"), "1")).toEqual(["replayed", "a"]);
    // Signed again, as a sender with a new secret does.
    expect(await record("c", "1", { mac: 1 })).toEqual(["duplicate", "a"]);
    expect(await record("c", "1", { mac: 1 })).toEqual(["replayed", "a"]);
    expect(await stored()).toEqual(["a"]);
  });

  it("do not keep another event out that has the same id", async () => {
    expect(await record("a", "1")).toEqual(["accepted", "a"]);
    const second = `a${suffixOf("2")}`;
    expect(await record("a", "2")).toEqual(["accepted", second]);
    expect(await record("a", "2")).toEqual(["replayed", second]);
    expect(await record("a", "2", { mac: 1 })).toEqual(["duplicate", second]);
    expect(await record("other", "2", { mac: 2 })).toEqual([
      "duplicate",
      second,
    ]);
    expect(await record("a", "3", { source: "other" })).toEqual([
      "accepted",
      "a",
    ]);
    expect(await stored()).toEqual(["a", second, "a"]);
  });

  it("become unique also if an attacker has taken the ids that would come next", async () => {
    const first = `a${suffixOf("genuine")}`;
    const second = `${first}${suffixOf("genuine")}`;
    await record("a", "captured 1");
    await record(first, "captured 2");
    await record(second, "captured 3");
    const id = `${second}${suffixOf("genuine")}`;
    expect(await record("a", "genuine")).toEqual(["accepted", id]);
    expect(await record("a", "genuine")).toEqual(["replayed", id]);
    const [event] = await test.store().findEvents(id);
    expect(event).toMatchObject({ id, bodySha256: digestOf("genuine") });
  });

  it("are decided in the order of the calls of one turn", async () => {
    const decided = await Promise.all([
      record("a", "1"),
      record("a", "2"),
      record("b", "1"),
      record("a", "2", { mac: 1 }),
      record("c", "3"),
      record("signed", "1", { idSigned: true, mac: 2 }),
      record("signed", "2", { idSigned: true, mac: 3 }),
    ]);
    expect(decided).toEqual([
      ["accepted", "a"],
      ["accepted", `a${suffixOf("2")}`],
      ["replayed", "a"],
      ["duplicate", `a${suffixOf("2")}`],
      ["accepted", "c"],
      ["accepted", "signed"],
      ["conflict", "signed"],
    ]);
  });

  it("are stored, delivered and audited as they became", async () => {
    await record("a", "1", { destinations: ["d"] });
    await record("a", "2", { destinations: ["d"], orderKey: "k" });
    await record("a", "2", { mac: 1 });
    const second = `a${suffixOf("2")}`;
    const claimed = await test.claim();
    expect(claimed.map(({ event }) => [event.id, String(event.body)])).toEqual([
      ["a", "1"],
      [second, "2"],
    ]);
    const entries = (await test.trail()) as {
      action: string;
      metadata: Record<string, unknown>;
    }[];
    expect(
      entries.map(({ action, metadata }) => [
        action,
        metadata["eventId"],
        metadata["bodySha256"],
      ]),
    ).toEqual([
      ["webhook.accepted", "a", digestOf("1")],
      ["webhook.accepted", second, digestOf("2")],
      ["webhook.duplicate", second, digestOf("2")],
    ]);
    const reader = await test.reader();
    expect(
      await reader.digestEvents([{ source: "hex", id: second }]),
    ).toMatchObject([{ bodySha256: digestOf("2") }]);
  });

  it("are decided once by several processes that record the same messages at the same time", async () => {
    const stores = [
      test.store(),
      await test.openAgain(),
      await test.openAgain(),
    ];
    const messages = Array.from({ length: 60 }, (_, n) => n);
    const decided = await Promise.all(
      stores.flatMap((store, process) =>
        // Each process has another order. All messages have one of two ids, and each process its own signatures.
        [
          ...messages.slice(process * 20),
          ...messages.slice(0, process * 20),
        ].map(async (n) => {
          const mac = process * 1000 + n;
          const record = recordOf(`id ${n % 2}`, {
            ...UNSIGNED,
            body: `${n}`,
            mac,
          });
          return { n, ...(await store.record(record)) };
        }),
      ),
    );
    const accepted = decided.filter(({ outcome }) => outcome === "accepted");
    expect(accepted.map(({ n }) => n).sort((a, b) => a - b)).toEqual(messages);
    expect(new Set(accepted.map(({ id }) => id)).size).toBe(messages.length);
    const idOf = new Map(accepted.map(({ n, id }) => [n, id]));
    for (const { n, outcome, id } of decided) {
      expect(["accepted", "duplicate"]).toContain(outcome);
      expect(id).toBe(idOf.get(n));
    }
    await test.trail();
  });

  it("are effective across a restart", async () => {
    await record("a", "1");
    await record("a", "2");
    await test.restart();
    expect(await record("b", "1")).toEqual(["replayed", "a"]);
    expect(await record("b", "2", { mac: 1 })).toEqual([
      "duplicate",
      `a${suffixOf("2")}`,
    ]);
  });

  it("are remembered as long as their event", async () => {
    const day = 86_400_000;
    await record("kept", "1", { receivedAt: day, destinations: ["d"] });
    await record("purged", "2", { receivedAt: day, destinations: [] });
    await record("last", "3", { receivedAt: 99 * day, destinations: ["x"] });
    test.setClock(99 * day);
    const purge = async () => {
      let next: number | null = null;
      do {
        ({ next } = await test.store().purge({
          now: 99 * day,
          receivedBefore: 10 * day,
          from: next,
        }));
      } while (next !== null);
    };
    await purge();
    const later = { receivedAt: 99 * day, destinations: [] };
    expect(await record("again", "1", { ...later, mac: 1 })).toEqual([
      "duplicate",
      "kept",
    ]);
    expect(await record("purged", "2", { ...later, mac: 2 })).toEqual([
      "accepted",
      "purged",
    ]);
    const [delivery] = await test.claim();
    await test.settle(delivery!);
    await purge();
    expect(await record("again", "1", { ...later, mac: 3 })).toEqual([
      "accepted",
      "again",
    ]);
  });
});

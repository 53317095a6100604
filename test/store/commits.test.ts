import { beforeEach, describe, expect, it } from "@jest/globals";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import type { Commit } from "../../src/store/port.ts";
import { eventually } from "../support/eventually.ts";
import { SIGNING_KEY } from "../support/fixtures.ts";
import {
  actionsOf,
  draftOf,
  KINDS,
  openStoreOfKind,
  recordOf,
  type TestStore,
} from "../support/stores.ts";

describe.each(KINDS)("a commit of a $name store", (kind) => {
  let test: TestStore;
  let commits: Commit[];

  beforeEach(async () => {
    test = await openStoreOfKind(kind);
    commits = [];
    test.store().onCommit((commit) => {
      commits.push(commit);
    });
  });

  const actionsIn = ({ entries }: Commit): string[] =>
    entries.map(({ line }) => (JSON.parse(line) as { action: string }).action);

  /** Resolves when the store has had some turns of its event loop, in which it tries to write earlier calls. */
  async function hasTried(): Promise<void> {
    for (let turn = 0; turn < 5; turn += 1) {
      await test.store().nextDueAt("d");
      await nextTurn();
    }
  }

  /** Makes calls in one turn while all writes fail. */
  async function failTogether(...jobs: (() => Promise<unknown>)[]) {
    const end = await test.database.failWrites();
    const results = await Promise.allSettled(jobs.map((job) => job()));
    await end();
    expect(results).toMatchObject(
      jobs.map(() => ({
        status: "rejected",
        reason: { name: "StoreError", fatal: false },
      })),
    );
  }

  it("reports its entries, their positions, and the destinations with due deliveries", async () => {
    await test.record("a", { destinations: ["d", "e"] });
    expect(commits).toHaveLength(1);
    const [{ entries, due }] = commits as [Commit];
    const rows = await test.store().readAudit(0, 10);
    expect(entries).toEqual(
      rows.map(({ position, line }) => ({ position, line })),
    );
    expect([...due].sort()).toEqual(["d", "e"]);

    const [claimed] = await test.claim();
    await test.settle(claimed!, { state: "exhausted" });
    commits.length = 0;
    await test.redeliver(claimed!.id);
    expect(commits.map((commit) => [...commit.due])).toEqual([["d"]]);
    expect(commits[0]!.entries[0]!.position).toBe(
      await test.store().lastPosition(),
    );
  });

  it("reports each entry once, in the order of the trail", async () => {
    await Promise.all([
      ...Array.from({ length: 300 }, (_, n) => test.record(`e${n}`)),
      ...Array.from({ length: 300 }, () =>
        test.store().append(draftOf("webhook.rejected")),
      ),
      test.store().checkpoint(),
    ]);
    const rows = await test.store().readAudit(0, 1000);
    expect(commits.flatMap(({ entries }) => entries)).toEqual(
      rows.map(({ position, line }) => ({ position, line })),
    );
  });

  it("reports how many records it wrote, without replays, and how long it took", async () => {
    const began = performance.now();
    await Promise.all([
      test.record("a"),
      test.record("b", { idSigned: false }),
    ]);
    await Promise.all([
      test.record("a"),
      test.record("a", { mac: 1 }),
      test.record("a", { mac: 2, body: "[]" }),
      test.store().append(draftOf("webhook.replayed")),
    ]);
    const tookMs = performance.now() - began;
    const written = commits.map(({ records }) => records);
    expect(written.reduce((sum, records) => sum + records, 0)).toBe(4);
    for (const { durationMs } of commits) {
      expect(durationMs).toBeGreaterThan(0);
      expect(durationMs).toBeLessThan(tookMs);
    }
    commits.length = 0;
    await test.store().append(draftOf("server.stopped"));
    expect(commits).toMatchObject([{ records: 0 }]);
  });

  it("is reported to listeners before the promises of its writes resolve", async () => {
    let reported: number | null = null;
    await test
      .store()
      .append(draftOf("server.started"))
      .then(() => {
        reported = commits.length;
      });
    expect(reported).toBe(1);
  });

  it("that fails changes neither the chain nor what listeners get", async () => {
    await test.store().append(draftOf("server.started"));
    commits.length = 0;
    await failTogether(
      () => test.store().append(draftOf("secret.overdue")),
      () => test.record("lost", { destinations: ["lost"] }),
    );
    expect(commits.flatMap(actionsIn)).toEqual([]);

    await test.record("kept");
    await test.store().append(draftOf("server.stopped"));

    expect(commits.flatMap(actionsIn)).toEqual([
      "store.failed",
      "webhook.accepted",
      "server.stopped",
    ]);
    expect(commits.flatMap(({ due }) => [...due])).toEqual(["d"]);
    expect(actionsOf(await test.trail())).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
      "server.stopped",
    ]);
    await test.store().probe();
    // The sender's identical retry is no replay.
    expect(await test.record("lost")).toBe("accepted");
  });

  it("reports earlier failed commits once, even if the first report failed too", async () => {
    test.setClock(7000);
    await failTogether(() => test.store().append(draftOf("config.reloaded")));
    test.setClock(8000);
    await failTogether(() => test.store().append(draftOf("config.reloaded")));
    await test.store().append(draftOf("server.started"));
    await test.store().append(draftOf("server.stopped"));
    const entries = await test.entries();
    expect(actionsOf(entries)).toEqual([
      "store.failed",
      "server.started",
      "server.stopped",
    ]);
    expect(entries[0]!.metadata).toMatchObject({
      failures: 2,
      since: new Date(7000).toISOString(),
    });
  });

  it("that fails undoes its checkpoint, so that the next one signs the entries", async () => {
    await test.store().append(draftOf("server.started"));
    await failTogether(() => test.store().checkpoint());
    await test.store().checkpoint();
    const entries = await test.entries();
    expect(actionsOf(entries)).toEqual([
      "server.started",
      "store.failed",
      "audit.checkpoint",
    ]);
    expect(entries[2]!.metadata["publicKey"]).toBe(
      createCheckpoints(SIGNING_KEY).publicKey,
    );
  });

  it("that fails leaves claims, outcomes and pauses as they were", async () => {
    await test.record("a");
    const [claimed] = await test.claim();
    const entry = draftOf("destination.paused");
    await failTogether(
      () => test.settle(claimed!),
      () => test.store().setPaused("d", { at: 1, by: "alice" }, entry),
    );
    expect(await test.store().pausedDestinations()).toEqual([]);
    expect(await test.settle(claimed!)).toBe(true);
    expect(actionsOf(await test.trail()).at(-1)).toBe("delivery.succeeded");
  });

  it("keeps its events and the chain if an entry cannot be written as JSON", async () => {
    await test.store().append(draftOf("server.started"));
    const [broken, beside] = await Promise.allSettled([
      test.store().append({
        ...draftOf("config.reloaded"),
        metadata: { broken: 1n },
      }),
      test.record("a"),
    ]);
    expect(broken).toMatchObject({
      status: "rejected",
      reason: { name: "StoreError" },
    });
    // A call that shares the transaction fails too, and then it has written nothing.
    expect(await test.record("a")).toBe(
      beside.status === "fulfilled" ? "replayed" : "accepted",
    );
    expect(actionsOf(await test.trail())).toEqual(
      expect.arrayContaining(["store.failed", "webhook.accepted"]),
    );
    await test.store().probe();
  });

  it("waits for the lock of another process, in order", async () => {
    const release = await test.database.block();
    const outcomes = [test.record("a"), test.record("a")];
    await hasTried();
    outcomes.push(test.record("a"), test.record("b"));
    await hasTried();
    await release();
    expect(await Promise.all(outcomes)).toEqual([
      "accepted",
      "replayed",
      "replayed",
      "accepted",
    ]);
    expect(actionsOf(await test.entries())).not.toContain("store.failed");
  });

  it("fails when it waits too long, writes nothing, and is reported by the next one", async () => {
    const release = await test.database.block();
    const results = await Promise.allSettled([
      test.store().record(recordOf("a")),
      test.store().append(draftOf("server.started")),
    ]);
    await release();
    expect(results).toMatchObject([
      { status: "rejected", reason: { name: "StoreError", fatal: false } },
      { status: "rejected", reason: { name: "StoreError", fatal: false } },
    ]);
    await eventually(() =>
      test
        .store()
        .probe()
        .then(
          () => true,
          () => false,
        ),
    );
    expect(await test.record("a")).toBe("accepted");
    expect(actionsOf(await test.trail())).toEqual([
      "store.failed",
      "webhook.accepted",
    ]);
  });

  it("of several processes on one store keeps the chain of each", async () => {
    const stores = [
      test.store(),
      await test.openAgain(),
      await test.openAgain(),
    ];
    await Promise.all(
      stores.flatMap((store) =>
        Array.from({ length: 100 }, (_, n) =>
          store.record(recordOf(`e${n}`, { mac: n })),
        ),
      ),
    );
    const trail = await test.trail();
    // Each event is accepted by one of them. The others see a replay, which writes nothing.
    expect(trail).toHaveLength(100);
    expect(new Set(trail.map(({ metadata }) => metadata["eventId"])).size).toBe(
      100,
    );
    for (const store of stores) {
      await store.probe();
    }
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { setImmediate as nextTurn } from "node:timers/promises";
import { createCheckpoints } from "../../src/audit/checkpoint.ts";
import type { Commit } from "../../src/store/port.ts";
import { SIGNING_KEY } from "../support/fixtures.ts";
import { readTrail } from "../support/read-trail.ts";
import { openFile } from "../support/store-file.ts";
import {
  draftOf,
  KINDS,
  openStoreOfKind,
  recordOf,
  type TestStore,
} from "../support/stores.ts";

/** An entry that cannot be written as JSON, so that its transaction fails. */
const BROKEN = {
  ...draftOf("config.reloaded"),
  metadata: { broken: 1n },
};

describe.each(KINDS)("a commit of a $name store", ({ openKind }) => {
  let test: TestStore;
  let commits: Commit[];

  beforeEach(async () => {
    test = await openStoreOfKind(openKind);
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

  /** Jobs of one transaction, one of which fails. */
  async function failTogether(...jobs: (() => Promise<unknown>)[]) {
    const all = [...jobs, () => test.store().append(BROKEN)];
    const results = await Promise.allSettled(all.map((job) => job()));
    expect(results.map(({ status }) => status)).toEqual(
      all.map(() => "rejected"),
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

    await test.record("kept", { mac: 2 });
    await test.store().append(draftOf("server.stopped"));

    expect(commits.flatMap(actionsIn)).toEqual([
      "store.failed",
      "webhook.accepted",
      "server.stopped",
    ]);
    expect(commits.flatMap(({ due }) => [...due])).toEqual(["d"]);
    expect((await readTrail(test.file)).map(({ action }) => action)).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
      "server.stopped",
    ]);
    await test.store().probe();
  });

  it("reports earlier failed commits once, even if the first report failed too", async () => {
    test.setClock(7000);
    await failTogether();
    test.setClock(8000);
    await failTogether();
    await test.store().append(draftOf("server.started"));
    await test.store().append(draftOf("server.stopped"));
    const entries = await test.entries();
    expect(entries.map(({ action }) => action)).toEqual([
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
    expect(entries.map(({ action }) => action)).toEqual([
      "server.started",
      "store.failed",
      "audit.checkpoint",
    ]);
    expect(entries[2]!.metadata["publicKey"]).toBe(
      createCheckpoints(SIGNING_KEY).publicKey,
    );
  });

  it("waits for the lock of another process, in order", async () => {
    const other = openFile(test.file);
    other.exec("BEGIN IMMEDIATE");
    const outcomes = [test.record("a"), test.record("a")];
    await hasTried();
    outcomes.push(test.record("a"), test.record("b", { mac: 2 }));
    await hasTried();
    other.exec("COMMIT");
    other.close();
    expect(await Promise.all(outcomes)).toEqual([
      "accepted",
      "replayed",
      "replayed",
      "accepted",
    ]);
    expect(
      (await test.entries()).filter(({ action }) => action === "store.failed"),
    ).toEqual([]);
  });

  it("fails when it waits too long, writes nothing, and is reported by the next one", async () => {
    const other = openFile(test.file);
    other.exec("BEGIN IMMEDIATE");
    const record = recordOf("a");
    const results = await Promise.allSettled([
      test.store().record(record),
      test.store().append(draftOf("server.started")),
    ]);
    other.exec("COMMIT");
    other.close();
    expect(results).toMatchObject([
      { status: "rejected", reason: { code: "SQLITE_BUSY", fatal: false } },
      { status: "rejected", reason: { code: "SQLITE_BUSY", fatal: false } },
    ]);
    expect(await test.store().record(record)).toBe("accepted");
    expect(await test.entries()).toMatchObject([
      {
        action: "store.failed",
        metadata: { code: "SQLITE_BUSY", failures: 1 },
      },
      { action: "webhook.accepted" },
    ]);
    await readTrail(test.file);
  });

  it("on a head that was changed from outside makes every later probe fail", async () => {
    await test.store().append(draftOf("server.started"));
    const other = openFile(test.file);
    other.exec("UPDATE audit_writer SET seq = 7, hash = 'x'");
    other.close();
    // This write fails, because it does not find its head. Then the head that the store expects is restored.
    await test.store().append(draftOf("server.stopped"));
    const [, last] = await test.store().readAudit(0, 10);
    const { hash } = JSON.parse(last!.line) as { hash: string };
    const db = openFile(test.file);
    db.exec(`UPDATE audit_writer SET seq = 2, hash = '${hash}'`);
    db.close();
    await expect(test.store().probe()).rejects.toMatchObject({
      code: "AUDIT_CHANGED",
    });
  });
});

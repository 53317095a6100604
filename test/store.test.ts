import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import Database from "better-sqlite3";
import path from "node:path";
import { type AuditDraft } from "../src/core/audit-entry.ts";
import { type EventRecord, type Store } from "../src/core/store.ts";
import { createGroupCommit } from "../src/store/group-commit.ts";
import { openSqliteStore } from "../src/store/sqlite.ts";
import { asStoreError } from "../src/store/sqlite/faults.ts";
import { readTrail, temporaryFolder } from "./harness.ts";

/** What every store must do, whatever it is made of; each kind opens its own. */
interface Kind {
  readonly name: string;
  readonly open: (folder: string, writer: string, now: () => number) => Store;
}

const KINDS: readonly Kind[] = [
  {
    name: "SQLite",
    open: (folder, writer, now) =>
      openSqliteStore({
        file: path.join(folder, "hexhook.db"),
        writer,
        now,
        onFatal: (error) => {
          throw error;
        },
      }),
  },
];

function draft(action: AuditDraft["action"]): AuditDraft {
  return {
    at: 1,
    action,
    userId: "system",
    resource: "test",
    result: "success",
    metadata: {},
  };
}

function record(
  id: string,
  options: {
    mac?: number;
    body?: string;
    signedAt?: number | null;
    destinations?: string[];
    source?: string;
  } = {},
): EventRecord {
  const {
    mac = 1,
    body = "{}",
    signedAt = 1000,
    destinations = ["d"],
  } = options;
  return {
    event: {
      source: options.source ?? "hex",
      id,
      type: "t",
      receivedAt: 5000,
      contentType: "application/json",
      headers: "{}",
      body: Buffer.from(body),
      bodySha256: Buffer.alloc(32, body.length),
    },
    destinations,
    claim: { signedAt, mac: Buffer.alloc(32, mac) },
    entry: (outcome) => draft(`webhook.${outcome}`),
  };
}

describe.each(KINDS)("a $name store", ({ open }) => {
  let folder: ReturnType<typeof temporaryFolder>;
  let store: Store;
  let clock: number;

  beforeEach(() => {
    clock = 5000;
    folder = temporaryFolder();
    store = open(folder.path, "one", () => clock);
  });

  afterEach(async () => {
    await store.close();
    folder.remove();
  });

  const claim = (limit = 10, leaseUntil = clock + 1000) =>
    store.claim({ destination: "d", now: clock, limit, leaseUntil });

  it("decides by its unique keys, in the order of the calls, within one turn and over many", async () => {
    const outcomes = await Promise.all([
      store.record(record("a", { mac: 1 })),
      store.record(record("a", { mac: 1 })),
      store.record(record("a", { mac: 2 })),
      store.record(record("a", { mac: 3, body: "{ }" })),
      store.record(record("b", { mac: 4 })),
    ]);
    expect(outcomes).toEqual([
      "accepted",
      "replayed",
      "duplicate",
      "conflict",
      "accepted",
    ]);
    expect(await store.record(record("a", { mac: 1 }))).toBe("replayed");
    expect(await store.record(record("a", { mac: 2 }))).toBe("replayed");
    expect(await store.record(record("a", { mac: 3, body: "{ }" }))).toBe(
      "replayed",
    );
    expect(await store.record(record("a", { mac: 9, source: "other" }))).toBe(
      "accepted",
    );
    expect(await store.record(record("a", { mac: 5 }))).toBe("duplicate");
  });

  it("keeps an event, byte for byte, and gives it with its delivery under a lease", async () => {
    const body = Buffer.from('{"x":"\u0000\xff"}', "latin1");
    const given = record("a");
    await store.record({ ...given, event: { ...given.event, body } });

    const [delivery, ...more] = await claim();

    expect(more).toEqual([]);
    expect(delivery).toMatchObject({
      destination: "d",
      attempt: 1,
      event: { id: "a", source: "hex", type: "t", receivedAt: 5000 },
    });
    expect(delivery!.event.body.equals(body)).toBe(true);
    expect(await claim()).toEqual([]);
    expect(await store.nextDueAt("d")).toBe(6000);
  });

  it("gives a delivery again when its lease has ended, and drops the late result", async () => {
    await store.record(record("a"));
    const [first] = await claim();
    clock += 1000;
    const [second] = await claim();
    expect([first!.attempt, second!.attempt]).toEqual([1, 2]);

    const settle = (attempt: number) =>
      store.settle({
        deliveryId: first!.id,
        attempt,
        next: { state: "succeeded" },
        entry: draft("delivery.succeeded"),
      });
    expect(await settle(1)).toBe(false);
    expect(await settle(2)).toBe(true);
    expect(await settle(2)).toBe(false);
    expect(await store.nextDueAt("d")).toBeNull();
    const lines = await store.readAudit(0, 100);
    expect(
      lines.filter(({ line }) => line.includes("delivery.succeeded")),
    ).toHaveLength(1);
  });

  it("keeps what failed for its time, and what was released for now", async () => {
    await store.record(record("a"));
    const id = (await claim())[0]!.id;
    await store.settle({
      deliveryId: id,
      attempt: 1,
      next: { state: "pending", dueAt: 9000 },
      entry: draft("delivery.failed"),
    });
    expect(await claim()).toEqual([]);
    clock = 9000;
    const [again] = await claim();
    expect(again!.attempt).toBe(2);
    await store.release(id, 2, clock);
    await store.release(id, 1, clock);
    expect((await claim())[0]!.attempt).toBe(3);
  });

  it("never gives more than was asked for, the ones due longest first", async () => {
    for (let n = 1; n <= 5; n += 1) {
      await store.record(record(`e${n}`, { mac: n }));
    }
    const taken = await claim(2);
    expect(taken.map(({ event }) => event.id)).toEqual(["e1", "e2"]);
    expect(await claim()).toHaveLength(3);
    expect(
      await store.claim({
        destination: "other",
        now: clock,
        limit: 5,
        leaseUntil: clock,
      }),
    ).toEqual([]);
  });

  it("ends the leases of the dead at a start, and not those of the living", async () => {
    await store.record(record("a"));
    await claim(1, clock + 60_000);
    const second = open(folder.path, "two", () => clock);
    expect(await second.nextDueAt("d")).toBe(clock + 60_000);
    await second.close();
    await store.close();

    store = open(folder.path, "three", () => clock);
    expect((await claim())[0]).toMatchObject({ attempt: 2 });
  });

  it("forgets old claims of signed times, in batches, and never timeless ones", async () => {
    await store.record(record("a", { mac: 1 }));
    await store.record(record("a", { mac: 2, signedAt: 1000 }));
    await store.record(record("a", { mac: 3, signedAt: 1001 }));
    await store.record(record("a", { mac: 4, signedAt: 2000 }));
    await store.record(record("a", { mac: 5, signedAt: null }));

    expect(await store.forgetReplays(2000, 1)).toBe(1);
    expect(await store.forgetReplays(2000, 10)).toBe(1);
    expect(await store.forgetReplays(2000, 10)).toBe(0);

    expect(await store.record(record("a", { mac: 4, signedAt: 2000 }))).toBe(
      "replayed",
    );
    expect(await store.record(record("a", { mac: 5, signedAt: null }))).toBe(
      "replayed",
    );
  });

  it("writes nothing at all of what did not get through, and goes on with the chain", async () => {
    await store.append(draft("server.started"));
    const broken = store.append({
      ...draft("server.started"),
      metadata: {
        get boom(): never {
          throw new Error("boom");
        },
      },
    });
    const beside = store.record(record("a"));
    await expect(broken).rejects.toMatchObject({ name: "StoreError" });
    await expect(beside).rejects.toMatchObject({ name: "StoreError" });

    expect(await store.record(record("a"))).toBe("accepted");
    const lines = (await store.readAudit(0, 10)).map(
      ({ line }) => JSON.parse(line) as { action: string; metadata: object },
    );
    expect(lines.map(({ action }) => action)).toEqual([
      "server.started",
      "store.failed",
      "webhook.accepted",
    ]);
    expect(lines[1]!.metadata).toMatchObject({ failures: 1 });
    await readTrail(path.join(folder.path, "hexhook.db"));
  });

  it("notes the last entry of each writer, newest first, and its position", async () => {
    expect(await store.lastPosition()).toBe(0);
    await store.append(draft("server.started"));
    await store.append(draft("server.stopped"));
    const second = open(folder.path, "two", () => clock);
    await second.append(draft("server.started"));
    expect(
      (await store.heads()).map(({ writer, seq }) => [writer, seq]),
    ).toEqual([
      ["two", 1],
      ["one", 2],
    ]);
    expect(await store.lastPosition()).toBe(3);
    await second.close();
  });

  it("probes with a write, and finds a trail that was changed from outside", async () => {
    await store.probe();
    await store.append(draft("server.started"));
    await store.probe();
    const db = new Database(path.join(folder.path, "hexhook.db"));
    db.exec("DELETE FROM audit_writer");
    db.close();
    const changed = { code: "AUDIT_CHANGED" };
    await expect(store.probe()).rejects.toMatchObject(changed);
    // Whatever is written behind it: what was changed once proves nothing any more.
    await store.append(draft("server.stopped"));
    await expect(store.probe()).rejects.toMatchObject(changed);
  });
});

describe("SQLite", () => {
  it("finds that the last line is not the one it wrote", async () => {
    const folder = temporaryFolder();
    const store = KINDS[0]!.open(folder.path, "w", () => 1);
    await store.append(draft("server.started"));
    await Promise.all([store.append(draft("server.stopped")), store.probe()]);
    const db = new Database(path.join(folder.path, "hexhook.db"));
    db.exec("DELETE FROM audit_entry WHERE position = 2");
    db.close();
    await expect(store.probe()).rejects.toMatchObject({
      code: "AUDIT_CHANGED",
    });
    await store.close();
    folder.remove();
  });

  it("is opened with WAL and synchronous=FULL, and moves its log on before it grows without end", async () => {
    const folder = temporaryFolder();
    const file = path.join(folder.path, "hexhook.db");
    const store = KINDS[0]!.open(folder.path, "w", () => 1);
    const body = "x".repeat(100_000);
    for (let n = 0; n < 400; n += 1) {
      await store.record(record(`e${n}`, { mac: n % 256, body }));
    }
    const { statSync } = await import("node:fs");
    expect(statSync(`${file}-wal`).size).toBeLessThan(30_000_000);
    expect(statSync(file).size).toBeGreaterThan(10_000_000);
    await store.close();
    folder.remove();
  });

  it.each([
    ["SQLITE_IOERR_FSYNC", true],
    ["SQLITE_IOERR_WRITE", false],
    ["SQLITE_CORRUPT", true],
    ["SQLITE_NOTADB", true],
    ["SQLITE_FULL", false],
    ["SQLITE_BUSY", false],
    ["SQLITE_IOERR_SHMSIZE", false],
    ["SQLITE_READONLY", false],
  ])("%s is fatal: %s", (code, fatal) => {
    expect(asStoreError(Object.assign(new Error("x"), { code }))).toMatchObject(
      { code, fatal },
    );
  });
});

describe("a group commit", () => {
  it("puts what waits in one turn into one transaction, and no more than its batch", async () => {
    const batches: number[] = [];
    let inside = 0;
    const group = createGroupCommit(
      (work) => {
        inside = 0;
        work();
        batches.push(inside);
      },
      { maxBatch: 3 },
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

  it("resolves nothing before the commit, and rejects all of a transaction that fails", async () => {
    let fail = true;
    const group = createGroupCommit(
      (work) => {
        work();
        if (fail) {
          throw new Error("no commit");
        }
      },
      { maxBatch: 10 },
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

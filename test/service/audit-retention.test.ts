import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { serverStarted } from "../../src/audit/server-entries.ts";
import type { TrailReport } from "../../src/audit/verify/trail-report.ts";
import { createTrailVerifier } from "../../src/audit/verify/verify-trail.ts";
import { rowsOf } from "../../src/cli/store/reader.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { parseEntry } from "../../src/audit/parsed-entry.ts";
import type { Store } from "../../src/store/port.ts";
import { purgeOldEntries } from "../../src/maintenance/audit-retention.ts";
import { openStore, openStoreReader } from "../../src/store/open.ts";
import { CHECKPOINTS, SIGNING_KEY, sqliteUrl } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openFile, readColumn } from "../support/store-file.ts";

const DAY = 86_400_000;
const BEGIN = 1_800_000_000_000;

let folder: ReturnType<typeof temporaryFolder>;
let now: number;
let open: Store[];

beforeEach(() => {
  folder = temporaryFolder();
  now = BEGIN;
  open = [];
});

afterEach(async () => {
  for (const store of open) {
    await store.close();
  }
});

const file = (): string => path.join(folder.path, "hexhook.db");

/** A process run: a store with a writer of its own that has begun as a service does. */
async function begin(writer: string): Promise<Store> {
  const store = await openStore(sqliteUrl(file()), {
    writer,
    signingKey: SIGNING_KEY,
    now: () => now,
    onFatal: () => undefined,
    delivers: false,
  });
  open.push(store);
  const started = serverStarted({
    environment: "development",
    hexKeys: [],
    at: now,
    version: "1.0.0",
    nodeVersion: "v24.0.0",
    sources: [],
    destinations: [],
    publicKey: CHECKPOINTS.publicKey,
    heads: await store.heads(),
  });
  await Promise.all([store.append(started), store.checkpoint()]);
  return store;
}

async function end(store: Store): Promise<void> {
  open = open.filter((one) => one !== store);
  await store.close();
}

const draft = (): AuditDraft => ({
  at: now,
  action: "webhook.duplicate",
  userId: "source:hex",
  resource: "/webhooks/hex",
  result: "success",
  metadata: {},
});

async function write(store: Store, count: number): Promise<void> {
  await Promise.all(Array.from({ length: count }, () => store.append(draft())));
}

async function sweep(store: Store, days: number, upTo = Infinity) {
  await purgeOldEntries(
    {
      store,
      taken: async () => Math.min(upTo, Number.MAX_SAFE_INTEGER),
      now: () => now,
    },
    { auditRetentionDays: days },
    new AbortController().signal,
  );
}

async function verifyAll(): Promise<TrailReport> {
  const trail = openStoreReader(sqliteUrl(file()));
  const verifier = createTrailVerifier();
  const heads = await trail.heads();
  for await (const { line } of rowsOf(trail)) {
    verifier.entry(line);
  }
  await trail.close();
  return verifier.finish(heads);
}

async function expectIntact(): Promise<TrailReport> {
  const report = await verifyAll();
  expect(report.writers.flatMap(({ fault }) => fault ?? [])).toEqual([]);
  return report;
}

async function stored() {
  const trail = openStoreReader(sqliteUrl(file()));
  const entries = [];
  for await (const { line } of rowsOf(trail)) {
    entries.push(parseEntry(line)!);
  }
  await trail.close();
  return entries;
}

describe("the retention of the trail", () => {
  it("keeps what is young, begins what it keeps of a writer with a signed checkpoint, and says what is gone", async () => {
    const store = await begin("1111");
    await write(store, 2500);
    now += 5 * DAY;
    await write(store, 700);
    now += 6 * DAY;
    await sweep(store, 10);

    const entries = await stored();
    expect(entries[0]).toMatchObject({
      action: "audit.checkpoint",
      chain: { seq: 2002 },
    });
    const told = entries.filter(({ action }) => action === "retention.purged");
    expect(told.at(-1)).toMatchObject({
      resource: "/audit",
      metadata: { writers: [{ writer: "1111", seq: 2001 }] },
    });
    // What vouches for what is gone is anchored itself.
    expect(entries.at(-1)).toMatchObject({ action: "audit.checkpoint" });
    const report = await expectIntact();
    expect(report.writers[0]).toMatchObject({ firstSeq: 2002 });
    await sweep(store, 10);
    expect(await stored()).toEqual(entries);
  });

  it("is found out when somebody else deletes what is old", async () => {
    const store = await begin("1111");
    await write(store, 2500);
    now += 11 * DAY;
    await write(store, 1);
    await sweep(store, 10);
    await expectIntact();
    const db = openFile(file());
    db.exec(
      "DELETE FROM audit_entry WHERE position < (SELECT min(position) FROM audit_entry WHERE position > 2100)",
    );
    db.close();
    const { writers } = await verifyAll();
    expect(writers.flatMap(({ fault }) => fault ?? [])).toEqual([
      { writer: "1111", seq: 1, what: "missing" },
    ]);
  });

  it("purges to the end what a dead writer left, and never what a living one may go on from", async () => {
    const dead = await begin("dead");
    await write(dead, 30);
    await end(dead);
    const living = await begin("living");
    now += 1 * DAY;
    const purger = await begin("purger");
    now += 10 * DAY;
    // It has written nothing for long, but says that it lives.
    await living.probe();
    await sweep(purger, 10);
    const writers = new Set((await stored()).map(({ chain }) => chain.writer));
    expect([...writers]).toEqual(["living", "purger"]);
    await expectIntact();
    await write(living, 3);
    await living.checkpoint();
    await living.probe();
    await expectIntact();
  });

  it("leaves what a sink has not had yet", async () => {
    const store = await begin("1111");
    await write(store, 2500);
    const position = await store.lastPosition();
    now += 11 * DAY;
    await write(store, 1);
    await sweep(store, 10, 1500);
    expect((await stored())[0]).toMatchObject({ chain: { seq: 1002 } });
    await sweep(store, 10, position);
    expect((await stored())[0]).toMatchObject({ chain: { seq: 2002 } });
  });

  it("stays verifiable over years of restarts, kills, idle and busy writers beside each other", async () => {
    let seed = 7;
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((seed / 2 ** 31) * below);
    };
    let names = 0;
    const next = () => begin(`w${(names += 1)}`);
    let stores = [await next(), await next()];
    let most = 0;
    for (let day = 0; day < 400; day += 1) {
      now += DAY;
      for (const store of stores) {
        await store.probe();
        if (random(3) === 0) {
          await write(store, random(4) === 0 ? 600 : random(40));
          await store.checkpoint();
          // What comes behind the last checkpoint is unsigned when it is killed.
          await write(store, random(3));
        }
      }
      if (random(5) === 0) {
        const at = random(2);
        await end(stores[at]!);
        stores = stores.with(at, await next());
      }
      await sweep(stores[0]!, 20);
      if (day % 10 === 0) {
        await expectIntact();
        most = Math.max(most, (await stored()).length);
      }
    }
    await expectIntact();
    expect(most).toBeLessThan(10_000);
    // What vouches for what is gone is not what fills the trail.
    const told = (await stored()).filter(
      ({ action }) => action === "retention.purged",
    );
    expect(told.length).toBeLessThan(80);
    const [writers] = readColumn(file(), "SELECT count(*) FROM audit_writer");
    expect(writers).toBeLessThan(names / 2);
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import path from "node:path";
import { serverStarted } from "../../src/audit/server-entries.ts";
import type { TrailReport } from "../../src/audit/verify/trail-report.ts";
import { createTrailVerifier } from "../../src/audit/verify/verify-trail.ts";
import { rowsOf } from "../../src/cli/store/reader.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import { parseEntry } from "../../src/audit/parsed-entry.ts";
import type { Store } from "../../src/store/port.ts";
import { purgeOldEntries } from "../../src/maintenance/audit-retention.ts";
import { openStoreReader } from "../../src/store/open.ts";
import {
  CHECKPOINTS,
  eventBody,
  signed,
  sqliteUrl,
} from "../support/fixtures.ts";
import { manualTime } from "../support/manual-time.ts";
import { between, withSeed } from "../support/seeded-random.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { openTestStore, storeFileIn } from "../support/open-test-store.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { openFile, readColumn } from "../support/store-file.ts";

const DAY = 86_400_000;
/** Some five times what is kept. 400 take half a minute. */
const DAYS = 100;
const BEGIN = 1_800_000_000_000;

let folder: ReturnType<typeof temporaryFolder>;
let now: number;

beforeEach(() => {
  folder = temporaryFolder();
  now = BEGIN;
});

const file = (): string => storeFileIn(folder.path);

/** A process run: a store with a writer of its own that has begun as a service does. */
async function begin(writer: string): Promise<Store> {
  const store = await openTestStore(folder.path, { writer, now: () => now });
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

describe("a service", () => {
  it("purges the entries that are past AUDIT_RETENTION_DAYS, and keeps the others", async () => {
    const options = {
      env: {
        AUDIT_RETENTION_DAYS: "10",
        HANDLERS: noHandlers(folder.path),
        AUDIT_FILE: path.join(folder.path, "audit.log"),
      },
      deps: { now: () => now },
    };
    const accept = async (
      service: Awaited<ReturnType<typeof startTestService>>,
      id: string,
    ): Promise<void> => {
      const body = eventBody(id);
      const headers = signed(body, { at: now });
      expect((await service.post(body, headers)).status).toBe(200);
    };
    const eventIds = async (): Promise<unknown[]> =>
      (await stored())
        .filter(({ action }) => action === "webhook.accepted")
        .map(({ metadata }) => metadata["eventId"]);
    const purges = async () =>
      (await stored()).filter(
        ({ action, resource }) =>
          action === "retention.purged" && resource === "/audit",
      );

    const time = manualTime();
    const first = await startTestService(folder.path, options);
    await accept(first, "evt_old");
    await first.stop();
    now += 9 * DAY;
    const second = await startTestService(folder.path, options);
    await accept(second, "evt_young");
    expect(await eventIds()).toEqual(["evt_old", "evt_young"]);
    expect(await purges()).toEqual([]);
    await second.stop();

    now += DAY;
    const third = await startTestService(folder.path, options);
    // A start so long after the last one purges nothing for a day.
    now += DAY;
    await time.passMinutesUntil(async () => (await purges()).length > 0);
    expect(await eventIds()).toEqual(["evt_young"]);
    await third.stop();
    await expectIntact();
  });
});

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
      { code: "missing", writer: "1111", seq: 1 },
    ]);
  });

  it("purges to the end what a dead writer left, and never what a living one may go on from", async () => {
    const dead = await begin("dead");
    await write(dead, 30);
    await dead.close();
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

  it("stays verifiable over restarts, kills, idle and busy writers beside each other", async () => {
    await withSeed((random) => expectVerifiableOver(DAYS, random));
  });
});

/** Writers start, end, idle and write over so many days, while all but the last 20 days are purged. */
async function expectVerifiableOver(
  days: number,
  random: () => number,
): Promise<void> {
  const below = (limit: number): number => between(random, 0, limit);
  let names = 0;
  /** The day on which each writer ended. */
  const ended = new Map<string, number>();
  const living = ["w1", "w2"];
  const next = () => begin(`w${(names += 1)}`);
  let stores = [await next(), await next()];
  let most = 0;
  for (let day = 0; day < days; day += 1) {
    now += DAY;
    for (const store of stores) {
      await store.probe();
      if (below(3) === 0) {
        await write(store, below(4) === 0 ? 600 : below(40));
        await store.checkpoint();
        // What comes behind the last checkpoint is unsigned when it is killed.
        await write(store, below(3));
      }
    }
    if (day === 5 || below(5) === 0) {
      const at = below(2);
      await stores[at]!.close();
      ended.set(living[at]!, day);
      stores = stores.with(at, await next());
      living[at] = `w${names}`;
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
  // A writer is forgotten once its entries and the entry that names them as deleted are gone, 20 days each.
  const remembered = readColumn(file(), "SELECT writer FROM audit_writer");
  const forgotten = [...ended].filter(([, day]) => day < days - 60);
  expect(forgotten.length).toBeGreaterThan(0);
  expect(forgotten.filter(([name]) => remembered.includes(name))).toEqual([]);
}

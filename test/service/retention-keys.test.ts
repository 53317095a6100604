import { beforeEach, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { parseEntry } from "../../src/audit/parsed-entry.ts";
import type { Store } from "../../src/store/port.ts";
import {
  DAY,
  type RetainedTrail,
  retainedTrail,
} from "../support/retention.ts";
import { changeStore } from "../support/rewrite-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { faultsOf } from "../support/trails.ts";

let trail: RetainedTrail;

beforeEach(() => {
  trail = retainedTrail(temporaryFolder().path);
});

const newKey = (): KeyObject => generateKeyPairSync("ed25519").privateKey;

async function expectIntact(): Promise<void> {
  expect(faultsOf(await trail.verify())).toEqual([]);
  expect(trail.changed).toEqual([]);
}

/** Runs a writer that is killed, so its last entries have no signature. */
async function killed(writer: string, key?: KeyObject): Promise<void> {
  const store = await trail.begin(writer, key);
  await trail.write(store, 3);
  await store.close();
}

async function sweepAgain(store: Store): Promise<void> {
  // Each sweep ends at the entry about the deletion, or at the recent entry after the old ones.
  await trail.write(store, 1);
  await store.checkpoint();
  await trail.sweep(store, 10);
  await expectIntact();
}

describe("entries after the last checkpoint of a run", () => {
  it("are deleted when the next start, which names them, is old itself", async () => {
    await killed("killed");
    trail.pass(5 * DAY);
    const living = await trail.begin("living");
    trail.pass(7 * DAY);
    await sweepAgain(living);
    const left = (await trail.stored()).filter(
      ({ chain }) => chain.writer === "killed",
    );
    // The entries that the checkpoint after its start covers are deleted.
    expect(left.map(({ chain }) => chain.seq)).toEqual([2, 3, 4, 5]);
    trail.pass(4 * DAY);
    await sweepAgain(living);
    expect(await trail.writers()).toEqual(["living"]);
  });

  it("are kept if the next start names other entries", async () => {
    await killed("killed");
    const living = await trail.begin("living");
    const last = (await trail.lines()).findLast((line) =>
      line.includes('"chain":{"writer":"killed"'),
    )!;
    const { chain } = parseEntry(last)!;
    changeStore(
      trail.file,
      `DELETE FROM audit_entry WHERE line = '${last}';
       UPDATE audit_writer SET seq = ${chain.seq - 1}, hash = '${chain.prev}' WHERE writer = 'killed'`,
    );
    expect(faultsOf(await trail.verify())).toMatchObject([
      { code: "cut_off", writer: "killed" },
    ]);
    trail.pass(20 * DAY);
    await trail.write(living, 1);
    await living.checkpoint();
    await trail.sweep(living, 10);
    expect(await trail.writers()).toEqual(["killed", "living"]);
  });
});

describe("entries that are signed with an earlier key", () => {
  it("are deleted when the first start with the current key is old", async () => {
    const [first, second] = [newKey(), newKey()];
    const long = await trail.begin("long", first);
    await trail.write(long, 2500);
    await long.checkpoint();
    await long.close();
    await killed("killed", first);
    trail.pass(DAY);
    const between = await trail.begin("between", second);
    await trail.write(between, 5);
    await between.checkpoint();
    await between.close();
    trail.pass(5 * DAY);
    const living = await trail.begin("living");
    trail.pass(7 * DAY);
    await trail.write(living, 1);
    await living.checkpoint();
    expect(await trail.sweep(living, 10)).toBe(true);
    await expectIntact();
    expect(await trail.writers()).toHaveLength(4);
    trail.pass(4 * DAY);
    await sweepAgain(living);
    expect(await trail.writers()).toEqual(["living"]);
  });

  it("are deleted even if there are more runs than a start can name", async () => {
    const first = newKey();
    for (let n = 0; n < 130; n += 1) {
      await killed(`run-${n}`, first);
    }
    const living = await trail.begin("living");
    trail.pass(11 * DAY);
    for (let sweeps = 0; sweeps < 4; sweeps += 1) {
      await sweepAgain(living);
    }
    expect(await trail.writers()).toEqual(["living"]);
  });

  it("are still deleted after a process with an earlier key has purged some", async () => {
    const first = newKey();
    const long = await trail.begin("long", first);
    await trail.write(long, 1500);
    await long.checkpoint();
    trail.pass(11 * DAY);
    await trail.write(long, 1500);
    await long.checkpoint();
    await trail.sweep(long, 10);
    expect((await trail.stored())[0]!.chain.seq).toBeGreaterThan(1000);
    await long.close();
    trail.pass(DAY);
    const living = await trail.begin("living");
    trail.pass(11 * DAY);
    await sweepAgain(living);
    expect(await trail.writers()).toEqual(["living"]);
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Store } from "../../../src/store/port.ts";
import { eventually } from "../../support/eventually.ts";
import { observeCommits } from "../../support/observe-commits.ts";
import { openTestStore, storeFileIn } from "../../support/open-test-store.ts";
import { openFile } from "../../support/store-file.ts";
import { draftOf, recordOf, SQLITE_KINDS } from "../../support/stores.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

describe.each(SQLITE_KINDS)("the file of a $name store", (kind) => {
  let folder: string;
  let file: string;

  beforeEach(() => {
    folder = temporaryFolder().path;
    file = storeFileIn(folder);
  });

  const open = (): Promise<Store> =>
    openTestStore(folder, { open: kind.open, now: () => 1, delivers: true });

  it("can be opened through a symbolic link", async () => {
    symlinkSync(path.join(folder, "real.db"), file);
    writeFileSync(path.join(folder, "real.db"), "");
    const store = await open();
    await store.append(draftOf("server.started"));
    await store.append(draftOf("server.stopped"));
    expect(await store.lastPosition()).toBe(2);
    await store.close();
  });

  it("is written with WAL and synchronous=FULL", async () => {
    const committed = await observeCommits(folder, kind.openName);
    expect(committed).toEqual([{ journalMode: "wal", synchronous: 2 }]);
  });

  it("has its log checkpointed, so that the log does not grow indefinitely", async () => {
    const store = await open();
    const body = "x".repeat(100_000);
    for (let n = 0; n < 400; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n, body }));
    }
    expect(statSync(`${file}-wal`).size).toBeLessThan(30_000_000);
    expect(statSync(file).size).toBeGreaterThan(10_000_000);
    await store.close();
  });

  it("has its log truncated, even without further writes, after a reader that blocked its reuse has gone", async () => {
    const store = await open();
    await store.append(draftOf("server.started"));
    const reader = openFile(file);
    reader.exec("BEGIN");
    reader.prepare("SELECT count(*) FROM event").get();
    const body = "x".repeat(500_000);
    const size = () => statSync(`${file}-wal`).size;
    for (let n = 0; size() < 40_000_000; n += 1) {
      await store.record(recordOf(`e${n}`, { mac: n, body }));
    }
    reader.close();
    await eventually(() => size() < 34_000_000);
    expect(size()).toBeLessThan(34_000_000);
    await store.close();
  });
});

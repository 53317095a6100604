import { beforeEach, describe, expect, it } from "@jest/globals";
import {
  copyFileSync,
  mkdirSync,
  renameSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from "node:fs";
import { execFileSync } from "node:child_process";
import path from "node:path";
import type { StoreError } from "../../../src/errors.ts";
import type { Store } from "../../../src/store/port.ts";
import { eventually } from "../../support/eventually.ts";
import { openTestStore, storeFileIn } from "../../support/open-test-store.ts";
import { openFile, readColumn } from "../../support/store-file.ts";
import { recordOf, SQLITE_KINDS } from "../../support/stores.ts";
import { environment } from "../../support/processes.ts";
import { inProject } from "../../support/project.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import type { StoreKind } from "../../support/test-database.ts";

/** A store with an acknowledged event, in a directory that can be moved. */
let folder: string;
let file: string;
let fatal: StoreError[];

beforeEach(() => {
  folder = path.join(temporaryFolder().path, "data");
  mkdirSync(folder);
  file = storeFileIn(folder);
  fatal = [];
});

const open = async (kind: StoreKind): Promise<Store> => {
  const store = await openTestStore(folder, {
    open: kind.open,
    onFatal: (error) => {
      fatal.push(error);
    },
  });
  await store.record(recordOf("evt_before"));
  // This moves the event into the database. The next one is only in the log.
  const beside = openFile(file);
  beside.exec("PRAGMA wal_checkpoint(PASSIVE)");
  beside.close();
  await store.record(recordOf("evt_in_log"));
  return store;
};

const eventIds = (): unknown[] => readColumn(file, "SELECT id FROM event");

const remove = (...suffixes: string[]): void => {
  for (const suffix of suffixes) {
    unlinkSync(`${file}${suffix}`);
  }
};

const replaceByCopy = (suffix: string): void => {
  copyFileSync(`${file}${suffix}`, `${file}.new`);
  renameSync(`${file}.new`, `${file}${suffix}`);
};

/** Changes of the files of an open store, and the file that the error names. */
const FATES = [
  {
    what: "the database, its log and its index are deleted",
    act: () => {
      remove("", "-wal", "-shm");
    },
    named: "",
  },
  {
    what: "the database is deleted",
    act: () => {
      remove("");
    },
    named: "",
  },
  {
    what: "the log is deleted",
    act: () => {
      remove("-wal");
    },
    named: "-wal",
  },
  {
    what: "the index is deleted",
    act: () => {
      remove("-shm");
    },
    named: "-shm",
  },
  {
    what: "the database is replaced by a copy",
    act: () => {
      replaceByCopy("");
    },
    named: "",
  },
  {
    what: "the log is replaced by a copy",
    act: () => {
      replaceByCopy("-wal");
    },
    named: "-wal",
  },
  {
    what: "the index is replaced by a copy",
    act: () => {
      replaceByCopy("-shm");
    },
    named: "-shm",
  },
  {
    what: "its directory is moved away",
    act: () => {
      renameSync(folder, `${folder}.old`);
    },
    named: "",
  },
  {
    what: "its directory is replaced by a link to a copy",
    act: () => {
      mkdirSync(`${folder}.copy`);
      for (const suffix of ["", "-wal", "-shm"]) {
        copyFileSync(
          `${file}${suffix}`,
          `${storeFileIn(`${folder}.copy`)}${suffix}`,
        );
      }
      renameSync(folder, `${folder}.old`);
      symlinkSync(`${folder}.copy`, folder);
    },
    named: "",
  },
  {
    what: "the database is truncated to 0 bytes",
    act: () => {
      truncateSync(file);
    },
    named: "",
  },
  {
    what: "the database is truncated in the middle",
    act: () => {
      truncateSync(file, 8192);
    },
    named: "",
  },
  {
    what: "the log is truncated to 0 bytes",
    act: () => {
      truncateSync(`${file}-wal`);
    },
    named: "-wal",
  },
  {
    what: "the log is overwritten",
    act: () => {
      writeFileSync(`${file}-wal`, "no log\n".repeat(10_000));
    },
    named: "-wal",
  },
] as const;

describe.each(SQLITE_KINDS)("an open $name store", (kind) => {
  it.each(FATES)(
    "acknowledges nothing more after $what",
    async ({ act, named }) => {
      const store = await open(kind);
      act();
      const rejected = await Promise.allSettled(
        ["evt_1", "evt_2"].map((id) => store.record(recordOf(id))),
      );
      for (const outcome of rejected) {
        expect(outcome).toMatchObject({
          status: "rejected",
          reason: { fatal: true },
        });
      }
      await eventually(() => fatal.length > 0);
      expect(fatal).toHaveLength(1);
      expect(fatal[0]!.code).toMatch(/^STORE_(?:MOVED|OVERWRITTEN)$/);
      expect(fatal[0]!.message).toContain(`${file}${named} was `);
      expect(fatal[0]!.message).toMatch(/restore a backup, then start again$/);
      await expect(store.record(recordOf("evt_3"))).rejects.toMatchObject({
        fatal: true,
      });
    },
  );

  it("notices a deleted file during a probe, without a delivery", async () => {
    const store = await open(kind);
    remove("", "-wal", "-shm");
    await expect(store.probe()).rejects.toMatchObject({ code: "STORE_MOVED" });
    await eventually(() => fatal.length > 0);
  });

  it("moves acknowledged commits out of a deleted log, and nothing else", async () => {
    const store = await open(kind);
    remove("-wal");
    await expect(store.record(recordOf("evt_refused"))).rejects.toMatchObject({
      code: "STORE_MOVED",
    });
    // The copy is read without the index files that are left of the deleted log.
    copyFileSync(file, `${file}.copy`);
    expect(readColumn(`${file}.copy`, "SELECT id FROM event")).toEqual([
      "evt_before",
      "evt_in_log",
    ]);
  });

  it("keeps working while another process reads it, backs it up, checkpoints, vacuums and closes it", async () => {
    const store = await open(kind);
    const work = [
      "SELECT count(*) FROM event",
      "VACUUM INTO 'FILE.backup'",
      "PRAGMA wal_checkpoint(TRUNCATE)",
      "DELETE FROM audit_sink",
      "VACUUM",
      "PRAGMA wal_checkpoint(RESTART)",
    ];
    for (const [n, sql] of work.entries()) {
      runElsewhere(file, sql.replace("FILE", file));
      await store.record(recordOf(`evt_${n}`));
      await store.probe();
    }
    expect(fatal).toEqual([]);
    expect(eventIds()).toHaveLength(2 + work.length);
  });
});

/** Opens and closes the file in a separate process, whose connection closes last. */
function runElsewhere(file: string, sql: string): void {
  const code = `
    const { openDatabase } = await import(${JSON.stringify(DRIVER)});
    const db = openDatabase(${JSON.stringify(file)}, { busyTimeoutMs: 5000 });
    db.exec(${JSON.stringify(sql)});
    db.close();`;
  execFileSync(process.execPath, ["--input-type=module", "-e", code], {
    env: environment({}),
  });
}

const DRIVER = inProject("dist", "sqlite-driver.js");

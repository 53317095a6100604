import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { backupStore, migrateStore } from "../../../src/store/open.ts";
import type { Database } from "../../../src/store/sqlite/driver.ts";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, sqliteUrl } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { createOldStore, OLDER_VERSIONS } from "../../support/old-store.ts";
import { CLI, environment } from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { openFile, readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { itUnprivileged, UNPRIVILEGED } from "../../support/unprivileged.ts";

let folder: string;
let store: string;

const env = { DATABASE_URL: "sqlite:hexhook.db" };
const at = (...names: string[]): string => path.join(folder, ...names);
const backup = (...args: string[]) =>
  hexhook(["backup", ...args], { cwd: folder, env });

beforeEach(() => {
  folder = temporaryFolder().path;
  store = at("hexhook.db");
});

/** Holds the store so that a copy waits at its first read. */
function block(): Database {
  const db = openFile(store);
  cleanUp(() => {
    db.close();
  });
  db.exec("PRAGMA locking_mode = EXCLUSIVE");
  db.exec("BEGIN EXCLUSIVE");
  return db;
}

it("copies the store of a service under load: one moment of it, complete, and only for its owner", async () => {
  const service = await startTestService(folder, {
    env: { DATABASE_URL: `sqlite:${store}` },
  });
  const answers: unknown[] = [];
  let count = 0;
  let isDone = false;
  const send = async (): Promise<void> => {
    while (!isDone) {
      count += 1;
      const { status } = await service.post(eventBody(`evt_${count}`));
      answers.push(status);
    }
  };
  const senders = [send(), send(), send(), send()];
  await eventually(() => answers.length >= 20);
  const before = answers.length;

  const { code, stdout, stderr } = await backup("copy.db", "--json");

  const during = answers.length;
  isDone = true;
  await Promise.all(senders);
  expect([code, stderr]).toEqual([0, ""]);
  expect(JSON.parse(stdout)).toEqual({
    file: at("copy.db"),
    bytes: statSync(at("copy.db")).size,
    durationMs: expect.any(Number),
  });
  expect(new Set(answers)).toEqual(new Set([200]));
  const events = readColumn(at("copy.db"), "SELECT count(*) FROM event")[0];
  expect(events).toBeGreaterThanOrEqual(before);
  expect(events).toBeLessThanOrEqual(during + senders.length);
  const db = openFile(at("copy.db"), { readOnly: true });
  expect(db.pragma("integrity_check")).toBe("ok");
  db.close();
  expect(statSync(at("copy.db")).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder).filter((name) => /copy/.test(name))).toEqual([
    "copy.db",
  ]);
  const verified = await hexhook(["audit", "verify"], {
    cwd: folder,
    env: { DATABASE_URL: "sqlite:copy.db" },
  });
  expect(verified).toMatchObject({ code: 0 });
  await service.stop();
});

describe("a backup", () => {
  beforeEach(async () => {
    await migrateStore(sqliteUrl(store));
  });

  it("prints where it is, and how large", async () => {
    expect(await backup("copy.db")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^backed up the store to copy\.db \(\d+\.\d MB, \d+\.\d s\)\n$/,
      ),
      stderr: "",
    });
  });

  it("overwrites nothing, and never has a name of the store", async () => {
    mkdirSync(at("folder"));
    symlinkSync(folder, at("link"));
    symlinkSync(at("nowhere"), at("dangling"));
    writeFileSync(at("file"), "kept");
    const refused = [
      ["file", "file exists: remove it, or name another file"],
      ["dangling", "dangling exists: remove it"],
      ["folder", "folder is a directory: name a file in it"],
      ["new/", "new/ is a directory: name a file in it"],
      ["", " is a directory: name a file in it"],
      ["none/copy.db", `the directory ${at("none")} cannot be opened (ENOENT)`],
      ...["", "-wal", "-shm", "-audit-key.pem"].flatMap((suffix) =>
        ["", "link/"].map((place) => [
          `${place}hexhook.db${suffix}`,
          "is the name of the store or of one of its files: name another file",
        ]),
      ),
    ];
    // Otherwise the incomplete copy would have the name of the store, and its error would make an operator remove the store.
    await expect(
      backupStore(sqliteUrl(at("copy.partial")), at("copy")),
    ).rejects.toThrow("copy is the name of the store or of one of its files");
    for (const [name, message] of refused) {
      const { code, stderr } = await backup(name!);
      expect([name, code, stderr]).toEqual([
        name,
        64,
        expect.stringContaining(message!),
      ]);
    }
    expect(readFileSync(at("file"), "utf8")).toBe("kept");
    expect(readdirSync(folder).sort()).toEqual(
      ["dangling", "file", "folder", "hexhook.db", "link"].sort(),
    );
  });

  it("does not overwrite a file that appears while it is made", async () => {
    const lock = block();
    const made = backupStore(sqliteUrl(store), at("copy.db"));
    await eventually(() => existsSync(at("copy.db.partial")));
    writeFileSync(at("copy.db"), "kept");
    lock.close();
    await expect(made).rejects.toThrow("copy.db exists");
    expect(readFileSync(at("copy.db"), "utf8")).toBe("kept");
    expect(existsSync(at("copy.db.partial"))).toBe(false);
  });

  it("is removed at once when it is cancelled", async () => {
    const lock = block();
    const cancel = new AbortController();
    const made = backupStore(sqliteUrl(store), at("copy.db"), cancel.signal);
    const settled = made.catch((error: unknown) => String(error));
    await eventually(() => existsSync(at("copy.db.partial")));
    cancel.abort();
    expect(existsSync(at("copy.db.partial"))).toBe(false);
    lock.close();
    expect(await settled).toContain("cancelled");
    expect(readdirSync(folder)).toEqual(["hexhook.db"]);
  });

  it.each([
    ["SIGKILL", /^copy\.db$/],
    ["SIGTERM", /^copy/],
  ] as const)("that is ended by %s leaves no file %p", async (signal, name) => {
    block();
    const child = spawn(process.execPath, [CLI, "backup", "copy.db"], {
      cwd: folder,
      env: environment(env),
      stdio: "ignore",
    });
    const closed = once(child, "close");
    await eventually(() => existsSync(at("copy.db.partial")));
    child.kill(signal);
    await closed;
    expect(readdirSync(folder).filter((one) => name.test(one))).toEqual([]);
  });

  /** Runs the command in a shell, after another command. */
  const backupAfter = (setup: string, ...wrapper: string[]) => {
    const { status, stderr } = spawnSync(
      "bash",
      [
        "-c",
        `${setup} && exec "$@"`,
        "bash",
        ...wrapper,
        process.execPath,
        CLI,
        "backup",
        "folder/copy.db",
      ],
      { cwd: folder, env: environment(env), encoding: "utf8" },
    );
    return { status, stderr };
  };

  itUnprivileged("names the directory that it may not write to", () => {
    mkdirSync(at("folder"), { mode: 0o500 });
    expect(backupAfter("true", ...UNPRIVILEGED)).toEqual({
      status: 64,
      stderr: expect.stringContaining(`may not write to ${at("folder")}`),
    });
  });

  it("leaves nothing when the disk is full", () => {
    mkdirSync(at("folder"));
    // A limit on the size of files, in kilobytes. SQLite gets the same kind of error from a full disk.
    expect(backupAfter("trap '' XFSZ && ulimit -f 40")).toEqual({
      status: 70,
      stderr: expect.stringMatching(
        /copy\.db\.partial: the backup cannot be written \(SQLITE_\w+\): free some space/,
      ),
    });
    expect(readdirSync(at("folder"))).toEqual([]);
  });

  it("names the incomplete file of an earlier one that was killed", async () => {
    writeFileSync(at("copy.db.partial"), "kept");
    expect(await backup("copy.db")).toMatchObject({
      code: 64,
      stderr: expect.stringContaining(
        "copy.db.partial exists: if no other backup is running, one was killed, so remove this file",
      ),
    });
    expect(readFileSync(at("copy.db.partial"), "utf8")).toBe("kept");
  });

  it("is refused for a store with a newer schema, or one that is damaged", async () => {
    const db = openFile(store);
    db.exec("PRAGMA user_version = 1000");
    db.close();
    expect(await backup("copy.db")).toMatchObject({
      code: 70,
      stderr: expect.stringContaining("newer"),
    });
    writeFileSync(store, "x".repeat(100_000));
    expect(await backup("copy.db")).toMatchObject({
      code: 70,
      stderr: expect.stringContaining("SQLITE_NOTADB"),
    });
    expect(readdirSync(folder)).toEqual(["hexhook.db"]);
  });
});

describe("a backup without a store that it can copy", () => {
  it("says so", async () => {
    expect(await backup("copy.db")).toMatchObject({
      code: 70,
      stderr: expect.stringContaining("there is no store at hexhook.db"),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("names pg_dump for PostgreSQL", async () => {
    const postgres = { DATABASE_URL: "postgres://hexhook@127.0.0.1/hexhook" };
    expect(
      await hexhook(["backup", "copy.db"], { cwd: folder, env: postgres }),
    ).toMatchObject({
      code: 64,
      stderr: expect.stringContaining("use pg_dump"),
    });
  });

  it("keeps an older schema, so that a new version can make one before it migrates", async () => {
    const version = OLDER_VERSIONS.at(-1)!;
    createOldStore(store, version);
    expect(await backup("copy.db")).toMatchObject({ code: 0 });
    expect(readColumn(at("copy.db"), "PRAGMA user_version")).toEqual([version]);
  });
});

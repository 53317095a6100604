import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { cpSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { cleanUp } from "../../support/cleanup.ts";
import path from "node:path";
import { ROOT } from "../../support/project.ts";
import { pathToFileURL } from "node:url";
import { asBuffer, type Database } from "../../../src/store/sqlite/driver.ts";
import { sqliteErrorName } from "../../../src/store/sqlite/error-name.ts";
import { openForWriting } from "../../../src/store/sqlite/open.ts";
import { asStoreError } from "../../../src/store/sqlite/store-error.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { WEBHOOK_REQUEST } from "../../support/fixtures.ts";
import { openFile } from "../../support/store-file.ts";

const PACKAGE = path.join(ROOT, "node_modules", "@photostructure", "sqlite");

/** All drivers that this Node can load, with the NODE_OPTIONS that select them. */
const DRIVERS: Readonly<Record<string, string>> = {
  ...(process.versions["sqlite"] === undefined
    ? { package: "" }
    : { "node:sqlite": "", package: "--no-experimental-sqlite" }),
};

const folder = temporaryFolder();

let files = 0;
function newFile(): string {
  files += 1;
  return path.join(folder.path, `${files}.db`);
}

/** Runs a script in a separate process on a driver. The script can call `openDatabase` of the built program. */
function run(
  driver: string,
  script: string,
  { file = newFile(), dist = path.join(ROOT, "dist") } = {},
): { stdout: string; stderr: string } {
  const at = (name: string) =>
    JSON.stringify(pathToFileURL(path.join(dist, name)));
  const { stdout, stderr } = spawnSync(
    process.execPath,
    [
      "--expose-gc",
      "--input-type=module",
      "--eval",
      `const FILE = ${JSON.stringify(file)};
       const load = () => import(${at("sqlite-driver.js")});
       const { openStore } = await import(${at("store.js")});
       ${script}`,
    ],
    { encoding: "utf8", env: { NODE_OPTIONS: DRIVERS[driver] } },
  );
  return { stdout: stdout.trim(), stderr };
}

function thrownBy(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("nothing was thrown");
}

describe.each(Object.keys(DRIVERS))(
  "in a process with the driver %s",
  (driver) => {
    it("no other driver is loaded", () => {
      const { stdout } = run(
        driver,
        `const { openDatabase } = await load();
       openDatabase(FILE, { busyTimeoutMs: 0 });
       console.log(process.report.getReport().sharedObjects.some((name) => name.includes("photostructure")));`,
      );
      expect(stdout).toBe(String(driver === "package"));
    });

    it("only the warning about SQLite during loading is suppressed", () => {
      const { stderr } = run(
        driver,
        `const original = process.getBuiltinModule;
       const { emitWarning } = process;
       const experimental = (what) =>
         process.emitWarning(what + " is an experimental feature and might change at any time", "ExperimentalWarning");
       process.getBuiltinModule = (name) => {
         experimental("SQLite");
         experimental("Flux");
         process.emitWarning("SQLite is old", { type: "DeprecationWarning" });
         return original.call(process, name);
       };
       const { openDatabase } = await load();
       openDatabase(FILE, { busyTimeoutMs: 0 }).close();
       if (process.emitWarning !== emitWarning) throw new Error("not restored");
       experimental("SQLite afterwards");`,
      );
      expect(stderr.match(/\w+Warning: .*/g)).toEqual([
        "ExperimentalWarning: Flux is an experimental feature and might change at any time",
        "DeprecationWarning: SQLite is old",
        "ExperimentalWarning: SQLite afterwards is an experimental feature and might change at any time",
      ]);
    });

    it("nothing about SQLite is on stderr", () => {
      const { stdout, stderr } = run(
        driver,
        `const { openDatabase } = await load();
       console.log(openDatabase(FILE, { busyTimeoutMs: 7 }).pragma("busy_timeout"));`,
      );
      expect({ stdout, stderr }).toEqual({ stdout: "7", stderr: "" });
    });

    it("a file name is never read as a URI", () => {
      const name = `file:${driver.length}.db?mode=memory`;
      const { stderr } = run(
        driver,
        `const { openDatabase } = await load();
       process.chdir(${JSON.stringify(folder.path)});
       openDatabase("${name}", { busyTimeoutMs: 0 }).exec("CREATE TABLE t (x)");`,
      );
      expect(stderr).toBe("");
      expect(statSync(path.join(folder.path, name)).size).toBeGreaterThan(0);
    });

    it("a statement still works after its database object was garbage-collected", () => {
      const { stdout, stderr } = run(
        driver,
        `const { openDatabase } = await load();
       const statement = (() => openDatabase(FILE, { busyTimeoutMs: 0 }).prepare("SELECT 1 AS one"))();
       for (let i = 0; i < 20; i += 1) {
         gc();
         await new Promise(setImmediate);
       }
       console.log(statement.get().one);`,
      );
      expect({ stdout, stderr }).toEqual({ stdout: "1", stderr: "" });
    });

    it.each(Object.keys(DRIVERS))(
      "a store that %s wrote can be read and written, its log included",
      (writer) => {
        const file = newFile();
        const script = (id: string) => `
        const { generateKeyPairSync } = await import("node:crypto");
        const store = await openStore({ driver: "sqlite", file: FILE }, {
          writer: "${id}", delivers: true, now: () => 5,
          signingKey: generateKeyPairSync("ed25519").privateKey,
          onFatal(error) { throw error; },
        });
        await store.record({
          event: { source: "hex", id: "${id}", type: "t", receivedAt: 5, contentType: "text/plain", headers: "{}",
            body: Buffer.from([0, 255, 10]), idSigned: true },
          claim: { signedAt: 5, replayKey: Buffer.from("${id}"), coversKey: true, sharedWith: [] },
          deliveries: [],
          request: ${JSON.stringify(WEBHOOK_REQUEST)},
        });
        const { events } = await store.scanEvents({
          filter: { source: null, type: null, since: null, until: null, state: null, destination: null },
          order: "oldest", from: null, limit: 9 });
        console.log(JSON.stringify(events.map((event) => [event.id, event.bodyBytes])));
        process.kill(process.pid, "SIGKILL");`;
        expect(run(writer, script("one"), { file }).stdout).toBe('[["one",3]]');
        expect(run(driver, script("two"), { file }).stdout).toBe(
          '[["one",3],["two",3]]',
        );
      },
    );
  },
);

describe("without a driver", () => {
  it("the error is one line with the cause and what to do", () => {
    // The built program without an installed package. Node's own driver is hidden.
    const dist = path.join(folder.path, "dist");
    cpSync(path.join(ROOT, "dist"), dist, { recursive: true });
    writeFileSync(
      path.join(folder.path, "package.json"),
      '{ "type": "module" }',
    );
    const { stdout } = run(
      "package",
      `const { openDatabase } = await load();
       try { openDatabase(FILE, { busyTimeoutMs: 0 }); } catch ({ code, message }) { console.log(code, message); }`,
      { dist },
    );
    expect(stdout).toMatch(
      /^STORE_NO_DRIVER Node v\S+ has no node:sqlite and @photostructure\/sqlite cannot be loaded \(Cannot find module '[^\n]*'\): use Node 22.13 or newer, or run `npm ci` again$/,
    );
  });
});

describe("the driver of this run", () => {
  let db: Database;
  beforeAll(() => {
    db = openForWriting(newFile());
    cleanUp(() => {
      db.close();
    });
    db.exec("CREATE TABLE t (number INTEGER, bytes BLOB) STRICT");
  });

  it("writes with WAL, synchronous=FULL and foreign keys", () => {
    expect(db.pragma("journal_mode")).toBe("wal");
    expect(db.pragma("synchronous")).toBe(2);
    expect(db.pragma("foreign_keys")).toBe(1);
    expect(db.pragma("wal_autocheckpoint")).toBe(0);
    expect(db.pragma("busy_timeout")).toBe(2000);
    expect(db.pragma("cache_size")).toBe(-16_000);
  });

  it("returns bytes unchanged, in memory that a Buffer can use without a copy", () => {
    const pool = Buffer.from(Array.from({ length: 300 }, (_, n) => n % 256));
    const bytes = pool.subarray(7, 290);
    db.prepare<[Buffer]>("INSERT INTO t (bytes) VALUES (?)").run(bytes);
    const { bytes: found } = db
      .prepare<[], { bytes: Uint8Array }>(
        "SELECT bytes FROM t WHERE bytes IS NOT NULL",
      )
      .get()!;
    const buffer = asBuffer(found);
    expect(Buffer.isBuffer(buffer)).toBe(true);
    expect(buffer.equals(bytes)).toBe(true);
    expect(buffer.buffer).toBe(found.buffer);
    expect(
      asBuffer(new Uint8Array([1, 2, 3]).subarray(1)).equals(
        Buffer.from([2, 3]),
      ),
    ).toBe(true);
  });

  it("returns integers exactly, and never a rounded one", () => {
    const insert = db.prepare<[number]>("INSERT INTO t (number) VALUES (?)");
    const { lastInsertRowid, changes } = insert.run(Number.MAX_SAFE_INTEGER);
    insert.run(Number.MIN_SAFE_INTEGER);
    const select = db.prepare<[], { number: number }>(
      "SELECT number FROM t WHERE number IS NOT NULL ORDER BY number DESC",
    );
    expect(changes).toBe(1);
    expect(typeof lastInsertRowid).toBe("number");
    expect(select.all().map(({ number }) => number)).toEqual([
      9007199254740991, -9007199254740991,
    ]);
    db.exec("INSERT INTO t (number) VALUES (9007199254740993)");
    expect(thrownBy(() => select.get())).toMatchObject({
      code: "ERR_OUT_OF_RANGE",
    });
  });

  it("rolls back an open transaction, and does nothing without one", () => {
    const count = db.prepare("SELECT count(*) AS n FROM t");
    const before = count.get();
    db.exec("BEGIN");
    db.exec("INSERT INTO t (number) VALUES (1)");
    db.rollback();
    expect(count.get()).toEqual(before);
    db.rollback();
    db.exec("BEGIN");
    db.exec("COMMIT");
  });

  it("can be closed twice, and any later use is a program error", () => {
    const other = openFile(newFile());
    const statement = other.prepare("SELECT 1");
    other.close();
    other.close();
    for (const use of [
      () => statement.get(),
      () => {
        other.exec("SELECT 1");
      },
    ]) {
      expect(asStoreError(thrownBy(use))).toMatchObject({
        code: "STORE_PROGRAM_FAULT",
        fatal: false,
      });
    }
  });
});

describe("errors", () => {
  it("have SQLite's name for every code in its header", () => {
    const header = readFileSync(
      path.join(PACKAGE, "src", "upstream", "sqlite3.h"),
      "utf8",
    );
    const [primary = "", extended = ""] = header
      .slice(header.indexOf("CAPI3REF: Result Codes"))
      .split("CAPI3REF: Extended Result Codes");
    const codes = new Map(
      Array.from(
        primary.matchAll(/^#define (SQLITE_[A-Z]+) +(\d+) /gm),
        ([, name = "", code]) => [name, Number(code)] as const,
      ),
    );
    for (const [, name = "", of = "", shift] of extended.matchAll(
      /^#define (SQLITE_\w+) +\((SQLITE_[A-Z]+) *\| *\((\d+)<<8\)\)/gm,
    )) {
      codes.set(name, (codes.get(of) ?? 0) | (Number(shift) << 8));
    }
    // The codes for success and for the results of a step are no errors.
    const named = [...codes].filter(
      ([name]) => !/^SQLITE_(?:OK|ROW|DONE)/.test(name),
    );
    expect(named.length).toBeGreaterThan(100);
    expect(
      named.map(([, errcode]) => [sqliteErrorName({ errcode }), errcode]),
    ).toEqual(named);
  });

  it.each([
    [{ errcode: 10 | (200 << 8) }, "SQLITE_IOERR"],
    [{ errcode: 4 | (1 << 8) }, "SQLITE_ABORT"],
    [{ errcode: 0 }, undefined],
    [{ errcode: "10" }, undefined],
    [new Error("x"), undefined],
    [null, undefined],
  ])("have, for the thrown value %j, the name %s", (thrown, name) => {
    expect(sqliteErrorName(thrown)).toBe(name);
  });

  it.each<[string, () => void]>([
    [
      "SQLITE_NOTADB",
      () => {
        const file = newFile();
        writeFileSync(file, "not a database".repeat(100));
        openFile(file).pragma("user_version");
      },
    ],
    [
      "SQLITE_CANTOPEN",
      () => {
        openFile(path.join(folder.path, "none", "x.db"));
      },
    ],
    [
      "SQLITE_BUSY",
      () => {
        const file = newFile();
        openFile(file).exec("BEGIN EXCLUSIVE");
        const db = openFile(file);
        db.exec("PRAGMA busy_timeout = 0");
        db.exec("BEGIN EXCLUSIVE");
      },
    ],
    [
      "SQLITE_FULL",
      () => {
        const db = openFile(newFile());
        db.exec("PRAGMA max_page_count = 2; CREATE TABLE t (x); BEGIN");
        try {
          db.exec("INSERT INTO t VALUES (zeroblob(100000))");
        } finally {
          db.rollback();
        }
      },
    ],
    [
      "SQLITE_READONLY",
      () => {
        const file = newFile();
        openFile(file).exec("CREATE TABLE t (x)");
        openFile(file, { readOnly: true }).exec("INSERT INTO t VALUES (1)");
      },
    ],
    [
      "SQLITE_CONSTRAINT_DATATYPE",
      () => {
        openFile(newFile()).exec(
          "CREATE TABLE t (x INTEGER) STRICT; INSERT INTO t VALUES ('x')",
        );
      },
    ],
  ])("of SQLite are %s in a StoreError", (code, work) => {
    expect(asStoreError(thrownBy(work))).toMatchObject({
      code,
      fatal: code === "SQLITE_NOTADB",
    });
  });
});

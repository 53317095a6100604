import { describe, expect, it } from "@jest/globals";
import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { asError } from "../../../src/errors.ts";
import { APPLICATION_ID } from "../../../src/store/sqlite/application-id.ts";
import { openDatabase } from "../../../src/store/sqlite/driver.ts";
import { runSql } from "../../support/damage.ts";
import { SECRET, TODAY } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { createOldStore, LATEST } from "../../support/old-store.ts";
import { CLI, environment } from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";
import { itUnprivileged, UNPRIVILEGED } from "../../support/unprivileged.ts";

const COMMANDS = [
  "migrate",
  "events list",
  "events redeliver --all --as alice",
  "audit tail",
  "audit verify",
  "secrets check",
];

const run = (command: string, folder: string): ReturnType<typeof hexhook> =>
  hexhook(command.split(" "), {
    cwd: folder,
    env: {
      DATABASE_URL: "sqlite:store/app.db",
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
    },
  });

/** The exit code and the message of a command, or of `serve`, on a store that it rejects. */
async function rejectionBy(command: string, folder: string): Promise<string> {
  if (command !== "serve") {
    const { code, stderr } = await run(command, folder);
    return `${code} ${stderr}`;
  }
  const env = {
    DATABASE_URL: `sqlite:${path.join(folder, "store", "app.db")}`,
  };
  const error = await startTestService(folder, { env }).then(
    () => new Error("it started"),
    asError,
  );
  return `70 hexhook: ${error.message.replace(`${folder}/`, "")}\n`;
}

/** All files of the directory: name, content, mode and time of the last change. */
const snapshot = (folder: string) =>
  readdirSync(folder)
    .sort()
    .map((name) => {
      const file = path.join(folder, name);
      const { mode, mtimeMs, uid } = statSync(file);
      return { name, mode, mtimeMs, uid, bytes: readFileSync(file, "hex") };
    });

/** Creates another application's file by SQL. `left`: as after its process was killed. */
function makeForeign(file: string, sql: string, left = false): void {
  const made = `${file}.made`;
  runSql(made, sql);
  if (left) {
    // Copied while it is open, so the log is not in the database yet.
    const db = openDatabase(made, { busyTimeoutMs: 0 });
    db.exec("INSERT INTO message VALUES (2)");
    for (const suffix of ["", "-wal"]) {
      copyFileSync(`${made}${suffix}`, `${file}${suffix}`);
    }
    db.close();
  } else {
    copyFileSync(made, file);
  }
  execFileSync("rm", ["-f", made, `${made}-wal`, `${made}-shm`]);
}

const TABLE = "CREATE TABLE message (id); INSERT INTO message VALUES (1);";

describe.each([
  { what: "no application id and other tables", sql: TABLE },
  {
    what: "another application id",
    sql: `PRAGMA application_id = 77; ${TABLE}`,
  },
  {
    what: "an application id and no tables",
    sql: "PRAGMA application_id = 77",
  },
  {
    what: "some of a store's tables",
    sql: `CREATE TABLE event (id); ${TABLE}`,
  },
  { what: "a log", sql: `PRAGMA journal_mode = WAL; ${TABLE}` },
  {
    what: "the log of a killed process",
    sql: `PRAGMA journal_mode = WAL; ${TABLE}`,
    left: true,
  },
])("another application's database with $what", ({ sql, left }) => {
  it.each([...COMMANDS, "serve"])(
    "is rejected by `hexhook %s`, and stays unchanged",
    async (command) => {
      const folder = temporaryFolder().path;
      const store = path.join(folder, "store");
      mkdirSync(store);
      const file = path.join(store, "app.db");
      makeForeign(file, sql, left);
      const before = snapshot(store);
      expect(await rejectionBy(command, folder)).toBe(
        "70 hexhook: store/app.db: this is the SQLite database of another application: set DATABASE_URL to another file\n",
      );
      // The service creates its signing key before it opens the store.
      expect(
        snapshot(store).filter(
          ({ name }) => !/audit-key/.test(name) && !/-shm$/.test(name),
        ),
      ).toEqual(before);
    },
  );
});

describe("a log without its database", () => {
  it.each([
    { what: "missing", left: [] },
    { what: "empty", left: [""] },
  ])(
    "stays unchanged, and the message says first to put the $what database back",
    async ({ what, left }) => {
      const folder = temporaryFolder().path;
      const store = path.join(folder, "store");
      mkdirSync(store);
      writeFileSync(path.join(store, "app.db-wal"), "events");
      for (const content of left) {
        writeFileSync(path.join(store, "app.db"), content);
      }
      const before = snapshot(store);
      const rejection = await rejectionBy("migrate", folder);
      expect(rejection.replace(`${folder}/`, "")).toBe(
        `70 hexhook: store/app.db: the database is ${what}, but its log store/app.db-wal contains events: put the database file back or restore a backup; to start without these events, move the log away\n`,
      );
      expect(snapshot(store)).toEqual(before);
    },
  );
});

describe("a database that is a store or may become one", () => {
  it.each([
    {
      what: "an empty file",
      make: (file: string) => {
        writeFileSync(file, "");
      },
    },
    {
      what: "an empty database",
      make: (file: string) => {
        runSql(file, "PRAGMA journal_mode = WAL");
      },
    },
    {
      what: "a store without an application id",
      make: (file: string) => {
        createOldStore(file, LATEST);
      },
    },
    {
      what: "a store of an older schema",
      make: (file: string) => {
        createOldStore(file, 1);
      },
    },
    {
      what: "a link to a file that does not exist yet",
      make: (file: string) => {
        symlinkSync("elsewhere.db", file);
      },
    },
  ])(
    "gets the application id from a command that writes: $what",
    async ({ make }) => {
      const folder = temporaryFolder().path;
      mkdirSync(path.join(folder, "store"));
      const file = path.join(folder, "store", "app.db");
      make(file);
      expect(await run("migrate", folder)).toMatchObject({
        code: 0,
        stderr: "",
      });
      expect(readColumn(file, "PRAGMA application_id")).toEqual([
        APPLICATION_ID,
      ]);
      // SQLite stores the application id in the header, where the command `file` finds it.
      expect(readFileSync(file).subarray(68, 72).toString()).toBe("HEXH");
    },
  );

  it("gets no application id from a command that only reads", async () => {
    const folder = temporaryFolder().path;
    mkdirSync(path.join(folder, "store"));
    const file = path.join(folder, "store", "app.db");
    createOldStore(file, LATEST);
    expect(await run("events list", folder)).toMatchObject({ code: 0 });
    expect(readColumn(file, "PRAGMA application_id")).toEqual([0]);
  });
});

describe.each([
  {
    what: "a directory",
    make: (file: string) => {
      mkdirSync(file);
    },
    message: "the path is a directory, not a file",
  },
  {
    what: "a named pipe",
    make: (file: string) => {
      execFileSync("mkfifo", [file]);
    },
    message: "the path is a named pipe, not a file",
  },
  {
    what: "a device",
    make: (file: string) => {
      symlinkSync("/dev/null", file);
    },
    message: "the path is a device, not a file",
  },
  {
    what: "a link to itself",
    make: (file: string) => {
      symlinkSync("app.db", file);
    },
    message: "the path is a symbolic link that leads to itself",
  },
  {
    what: "a text file",
    make: (file: string) => {
      writeFileSync(file, "text\n".repeat(1000));
    },
    message: "the file is not a SQLite database",
  },
])("a path that leads to $what", ({ make, message }) => {
  it.each([...COMMANDS, "serve"])(
    "is rejected by `hexhook %s` with one line",
    async (command) => {
      const folder = temporaryFolder().path;
      mkdirSync(path.join(folder, "store"));
      const file = path.join(folder, "store", "app.db");
      make(file);
      const rejection = await rejectionBy(command, folder);
      expect(rejection).toMatch(
        /^70 hexhook: [^\n]+ check DATABASE_URL[^\n]*\n$/,
      );
      expect(rejection).toContain(`store/app.db: ${message}`);
    },
  );
});

describe("a path that cannot be used", () => {
  it.each(COMMANDS)(
    "is rejected by `hexhook %s` with one line if a part of it is a file",
    async (command) => {
      const folder = temporaryFolder().path;
      writeFileSync(path.join(folder, "store"), "");
      const { code, stderr } = await run(command, folder);
      expect(code).toBe(70);
      expect(stderr).toMatch(/^hexhook: [^\n]+DATABASE_URL[^\n]*\n$/);
    },
  );

  const CHMOD = /: [^\n]+: run `chmod -R u\+rwX [^\n]+`\n$/;
  const MODES = [
    { what: "is not readable", mode: 0o000, of: "file", error: CHMOD },
    { what: "is read-only", mode: 0o444, of: "file", error: CHMOD },
    {
      what: "is in a read-only directory",
      mode: 0o555,
      of: "folder",
      error: CHMOD,
    },
    {
      what: "is in an inaccessible directory",
      mode: 0o000,
      of: "folder",
      error:
        /: this user has no permission for a directory in the path: check DATABASE_URL\n$/,
    },
  ];
  for (const { what, mode, of, error } of MODES) {
    itUnprivileged(
      `is rejected by a command that writes, with one line, if the file ${what}`,
      () => {
        const folder = temporaryFolder().path;
        const store = path.join(folder, "store");
        mkdirSync(store);
        const file = path.join(store, "app.db");
        createOldStore(file, LATEST);
        chmodSync(of === "file" ? file : store, mode);
        const [program, ...args] = [
          ...UNPRIVILEGED,
          process.execPath,
          CLI,
          "migrate",
        ];
        const { status, stderr } = spawnSync(program, args, {
          cwd: folder,
          env: environment({ DATABASE_URL: "sqlite:store/app.db" }),
          encoding: "utf8",
        });
        chmodSync(store, 0o700);
        expect(`${status} ${stderr}`).toMatch(/^70 hexhook: store\/app\.db: /);
        expect(stderr).toMatch(error);
      },
    );
  }
});

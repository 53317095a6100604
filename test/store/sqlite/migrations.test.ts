import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { migrateStore, openStoreReader } from "../../../src/store/open.ts";
import { cleanUp } from "../../support/cleanup.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import {
  eventBody,
  SECRET,
  signed,
  sqliteUrl,
} from "../../support/fixtures.ts";
import {
  createOldStore,
  dump,
  LATEST,
  MIGRATIONS,
  OLDER_VERSIONS,
  schemaOf,
} from "../../support/old-store.ts";
import { hexhook } from "../../support/hexhook.ts";
import {
  CLI,
  environment,
  hexhookProcess,
  serve,
} from "../../support/processes.ts";
import { inProject } from "../../support/project.ts";
import { readTrail } from "../../support/read-trail.ts";
import { startTestService } from "../../support/service.ts";
import { openFile } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = temporaryFolder().path;
  file = path.join(folder, "hexhook.db");
  writeFileSync(path.join(folder, "none.mjs"), "export default {};\n");
});

const migrateHere = () => migrateStore(sqliteUrl(file));

/** The schema of a store that this program creates. */
async function newSchema(): Promise<unknown[]> {
  const made = path.join(folder, "new.db");
  await migrateStore(sqliteUrl(made));
  return schemaOf(made);
}

/** The errors that SQLite's own check finds in the file. */
function faultsOf(store: string): unknown[] {
  const db = openFile(store, { readOnly: true });
  try {
    const integrity = db.pragma("integrity_check");
    const foreign = db.prepare("PRAGMA foreign_key_check").all();
    return [...(integrity === "ok" ? [] : [integrity]), ...foreign];
  } finally {
    db.close();
  }
}

function change(sql: string): void {
  const db = openFile(file);
  try {
    db.exec(sql);
  } finally {
    db.close();
  }
}

/** The number of the attempt and the body that the destination received, by event id. */
function receivedBy({ attempts }: TestDestination): Record<string, string[]> {
  const received: Record<string, string[]> = {};
  for (const { headers, body } of attempts) {
    const id = decodeURIComponent(String(headers["webhook-id"]));
    const attempt = String(headers["x-hexhook-attempt"]);
    (received[id] ??= []).push(`${attempt} ${body.toString("latin1")}`);
  }
  return received;
}

describe("the migrations", () => {
  // Stores in use have already run these migrations, so they must not change.
  it("that were released are unchanged", () => {
    const released: Record<string, string> = {
      "0001-receive.sql":
        "2b28d5eb1be435e218135080007d8e15c7bc3df8d5bab662a869b8e62f6f9ba7",
      "0002-deliver.sql":
        "4cae1ffb0ecf487974f63cd17624dbc586fde239ca50dfa762ad3a5f98d876fa",
      "0003-audit.sql":
        "022e6c2e30e8080cd3d6b373be2eed31a234c7b509734f2108d3e5a942df8cde",
      "0004-sink-health.sql":
        "5d294cb28631164a74c3b584900ce59e9df6eefc990bbe8d31a0155a27949e35",
    };
    const sources = inProject("src", "store", "sqlite", "migrations");
    const found = readdirSync(sources).map((name) => {
      const text = readFileSync(path.join(sources, name));
      return [name, createHash("sha256").update(text).digest("hex")];
    });
    expect(Object.fromEntries(found)).toMatchObject(released);
  });
});

describe.each(OLDER_VERSIONS)("a store of schema version %d", (version) => {
  it("keeps all data unchanged and gets the schema of a new store", async () => {
    createOldStore(file, version);
    const before = dump(file);
    expect(Object.values(before).every(({ rows }) => rows.length > 0)).toBe(
      true,
    );

    expect(await migrateHere()).toEqual({ from: version, to: LATEST });

    expect(dump(file, before)).toEqual(before);
    expect(schemaOf(file)).toEqual(await newSchema());
    expect(faultsOf(file)).toEqual([]);
    expect(await migrateHere()).toEqual({ from: LATEST, to: LATEST });
  });

  it("works after the migration: events, replay guard, pending deliveries, sinks and trail", async () => {
    const old = createOldStore(file, version);
    const before = dump(file);
    const destination = await startDestination(reply(200));
    const service = await startTestService(folder, {
      env: {
        HANDLERS: path.join(folder, "none.mjs"),
        FORWARD_URL: destination.url,
        AUDIT_FILE: path.join(folder, "audit.log"),
      },
    });

    const waiting = Object.keys(old.pending);
    await eventually(() => destination.attempts.length >= waiting.length);
    const bodyOf = (id: string): string =>
      old.events.find((event) => event.id === id)!.body.toString("latin1");
    expect(receivedBy(destination)).toEqual(
      Object.fromEntries(
        Object.entries(old.pending).map(([id, attempt]) => [
          id,
          [`${attempt} ${bodyOf(id)}`],
        ]),
      ),
    );
    // Deliveries of one order key keep their order.
    expect(
      destination
        .ids()
        .filter((id) => /^evt_(?:first|second)$/.test(String(id))),
    ).toEqual(["evt_first", "evt_second"].filter((id) => id in old.pending));
    for (const { contentType } of old.events) {
      expect(destination.attempts[0]!.headers["content-type"]).toBe(
        contentType,
      );
    }

    // A request that was seen before the migration is a replay. A newly signed one is a duplicate.
    for (const event of old.events) {
      for (const headers of old.seen[event.id]!) {
        expect(await service.post(event.body, headers)).toMatchObject({
          status: 409,
          json: { code: "replayed" },
        });
      }
      expect((await service.post(event.body)).json).toMatchObject({
        status: "duplicate",
        id: event.id,
      });
    }
    expect((await service.post(eventBody("evt_after"))).status).toBe(200);
    await eventually(async () =>
      (await service.entries()).some(
        ({ action, metadata }) =>
          action === "delivery.succeeded" &&
          metadata["eventId"] === "evt_after",
      ),
    );
    await service.stop();

    const after = dump(file, { event: before["event"]! })["event"]!.rows;
    expect(after).toEqual(expect.arrayContaining([...before["event"]!.rows]));
    const reader = await openStoreReader(sqliteUrl(file));
    for (const { id, type, contentType, body } of old.events) {
      expect(await reader.findEvents(id)).toMatchObject([
        {
          id,
          type,
          contentType,
          bodyBytes: body.length,
          bodySha256: createHash("sha256").update(body).digest("hex"),
          headers: { "user-agent": "old" },
        },
      ]);
    }
    const trail = await reader.readAudit(0, 10_000);
    await reader.close();
    const lines = trail.map(({ line }) => line);
    expect(dump(file, before)["audit_entry"]!.rows).toEqual(
      expect.arrayContaining([...before["audit_entry"]!.rows]),
    );
    // A known sink resumes at its position. A new one starts with this run.
    const from =
      old.taken > 0
        ? trail.findIndex(({ position }) => position === old.taken + 1)
        : before["audit_entry"]!.rows.length;
    expect(readFileSync(path.join(folder, "audit.log"), "utf8").trimEnd()).toBe(
      lines.slice(from).join("\n"),
    );
    await readTrail(file);
    const verified = await hexhook(["audit", "verify"], {
      cwd: folder,
      env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" },
    });
    expect(verified).toMatchObject({ code: 0 });
  });
});

// The first version needs all migrations, the last one only the newest.
describe.each([OLDER_VERSIONS[0]!, OLDER_VERSIONS.at(-1)!])(
  "a store of schema version %d, with several processes",
  (version) => {
    it("is rejected by commands that only read, and stays unchanged", async () => {
      createOldStore(file, version);
      const before = [dump(file), schemaOf(file)];
      const found = await hexhook(["events", "list"], {
        cwd: folder,
        env: { DATABASE_URL: "sqlite:hexhook.db" },
      });
      expect(found).toMatchObject({ code: 70, stdout: "" });
      expect(found.stderr).toMatch(
        new RegExp(`version ${version}, .*needs ${LATEST}.*hexhook migrate`),
      );
      expect([dump(file), schemaOf(file)]).toEqual(before);
    });

    it("is migrated correctly when two services start at the same time", async () => {
      const old = createOldStore(file, version);
      const before = dump(file);
      const destination = await startDestination(reply(200));
      const env = { HANDLERS: "none.mjs", FORWARD_URL: destination.url };
      // Both processes have opened the store, and neither can start the migration.
      const db = openFile(file);
      db.exec("BEGIN IMMEDIATE");
      const both = Promise.all([serve(folder, env), serve(folder, env)]);
      await eventually(() => holdersOf(`${file}-wal`) >= 3);
      db.exec("COMMIT");
      db.close();
      const services = await both;

      expect(schemaOf(file)).toEqual(await newSchema());
      await eventually(
        () =>
          Object.keys(receivedBy(destination)).length >=
          Object.keys(old.pending).length,
      );
      for (const [n, { post }] of services.entries()) {
        const body = eventBody(`evt_${n}`);
        expect((await post(body, signed(body))).status).toBe(200);
      }
      for (const { stop } of services) {
        expect(await stop()).toEqual({ code: 0, signal: null });
      }
      const events = dump(file, { event: before["event"]! })["event"]!.rows;
      expect(events).toHaveLength(old.events.length + 2);
      expect(events).toEqual(
        expect.arrayContaining([...before["event"]!.rows]),
      );
      expect(faultsOf(file)).toEqual([]);
      await readTrail(file);
    });
  },
);

/** Returns how often a process has waited. SQLite sleeps for at most 100 ms between two tries to get a lock. */
function sleepsOf(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^voluntary_ctxt_switches:\s+(\d+)/m.exec(status)?.[1]);
}

/** Returns how many processes have a file open, including this one. */
function holdersOf(name: string): number {
  const pids = readdirSync("/proc").filter((pid) => /^\d+$/.test(pid));
  return pids.filter((pid) => {
    try {
      return readdirSync(`/proc/${pid}/fd`).some(
        (fd) => readlinkSync(`/proc/${pid}/fd/${fd}`) === name,
      );
    } catch {
      return false; // The process has ended, or has closed a file meanwhile.
    }
  }).length;
}

describe("a migration that fails in the middle", () => {
  it.each([
    {
      what: "a table that already exists",
      version: 1,
      // The last statement of 0002 fails.
      obstacle: "CREATE TABLE paused_destination (name TEXT)",
      removal: "DROP TABLE paused_destination",
      reached: 1,
    },
    {
      what: "a column that already exists",
      version: 2,
      // The last statement of 0003 fails.
      obstacle: "ALTER TABLE audit_writer ADD COLUMN purged_told INTEGER",
      removal: "ALTER TABLE audit_writer DROP COLUMN purged_told",
      reached: 2,
    },
    {
      what: "the second of two migrations",
      version: 1,
      obstacle: "ALTER TABLE audit_writer ADD COLUMN purged_told INTEGER",
      removal: "ALTER TABLE audit_writer DROP COLUMN purged_told",
      reached: 2,
    },
  ])(
    "leaves version and data unchanged: $what",
    async ({ version, obstacle, removal, reached }) => {
      createOldStore(file, version);
      change(obstacle);
      const before = dump(file);
      const schema = schemaOf(file);

      await expect(migrateHere()).rejects.toThrow(/hexhook\.db: .+/);

      expect(dump(file, before)).toEqual(before);
      expect(faultsOf(file)).toEqual([]);
      const [found, ...objects] = schemaOf(file);
      expect(found).toBe(reached);
      expect(reached > version || objects).toEqual(
        reached > version || schema.slice(1),
      );
      // A service does not start on it either, and reports why.
      const { code, stderr } = await hexhookProcess(["serve"], {
        cwd: folder,
        env: { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" },
      });
      expect(code).toBe(70);
      expect(stderr).toContain("hexhook.db: ");

      change(removal);
      expect(await migrateHere()).toEqual({ from: reached, to: LATEST });
      expect(schemaOf(file)).toEqual(await newSchema());
    },
  );
});

const NO_STRACE = spawnSync("strace", ["-f", "true"]).status !== 0;

(NO_STRACE ? describe.skip : describe)(
  `a process that is killed while it migrates${NO_STRACE ? " (skipped: there is no strace)" : ""}`,
  () => {
    /** Runs `hexhook migrate` under strace. */
    const migrateTraced = (...options: string[]) =>
      spawnSync(
        "strace",
        [
          "-f",
          "-qq",
          "-e",
          "signal=none",
          ...options,
          process.execPath,
          CLI,
          "migrate",
        ],
        {
          cwd: folder,
          encoding: "utf8",
          env: environment({ DATABASE_URL: "sqlite:hexhook.db" }),
        },
      );

    it("leaves a store that the next start migrates, after any number of its writes", async () => {
      const call = "pwrite64";
      createOldStore(file, 1);
      const log = path.join(folder, "calls");
      const traced = migrateTraced("-e", `trace=${call}`, "-o", log);
      expect(traced).toMatchObject({ status: 0 });
      const calls = readFileSync(log, "utf8").trimEnd().split("\n").length;
      expect(calls).toBeGreaterThan(4);
      const versions = new Set<unknown>();

      // About eight of the writes, including the first and the last.
      const step = Math.max(1, Math.floor(calls / 8));
      for (
        let n = 1;
        n <= calls;
        n = n < calls ? Math.min(calls, n + step) : n + 1
      ) {
        file = path.join(folder, "hexhook.db");
        for (const suffix of ["", "-wal", "-shm"]) {
          rmSync(`${file}${suffix}`, { force: true });
        }
        createOldStore(file, 1);
        const before = dump(file);
        const killed = migrateTraced(
          ...["-e", `trace=${call}`, "-o", "/dev/null"],
          ...["-e", `inject=${call}:signal=KILL:when=${n}`],
        );
        expect({ n, signal: killed.signal ?? killed.status }).toEqual({
          n,
          signal: "SIGKILL",
        });
        const [version] = schemaOf(file) as [number];
        versions.add(version);
        expect({ n, ...dump(file, before) }).toEqual({ n, ...before });

        expect(await migrateHere()).toEqual({ from: version, to: LATEST });

        expect({ n, ...dump(file, before) }).toEqual({ n, ...before });
        expect(schemaOf(file)).toEqual(await newSchema());
        expect(faultsOf(file)).toEqual([]);
      }
      // Some processes were killed before a commit, and some between two.
      expect(versions.size).toBeGreaterThan(1);
    });
  },
);

describe("a store of a newer schema version", () => {
  const NEWER = LATEST + 1;

  /** Commands that open the store, with what they need. */
  const COMMANDS: readonly (readonly [string, object?, string?])[] = [
    ["serve"],
    ["migrate"],
    ["audit tail"],
    ["audit verify"],
    ["audit scopes"],
    ["events list"],
    ["events show evt_new"],
    ["events redeliver evt_exhausted"],
    ["events redeliver --all"],
    ["keys check", { HEX_READ_KEY: "a-key-of-the-hex-api-0123456789" }],
    [
      "keys rotate --from - --offline",
      { HEX_READ_KEY_FILE: "key" },
      "another-key-of-the-hex-api-0123456789",
    ],
    ["doctor"],
  ];

  it.each(COMMANDS)(
    "is rejected by `%s` with one line that says what to do, and stays unchanged",
    async (command, env = {}, input = "") => {
      createOldStore(file, LATEST);
      change(`PRAGMA user_version = ${NEWER}`);
      writeFileSync(
        path.join(folder, "key"),
        "a-key-of-the-hex-api-0123456789",
      );
      spawnSync("git", ["init", "-q"], { cwd: folder });
      const before = [dump(file), schemaOf(file)];

      const run = command === "serve" ? hexhookProcess : hexhook;
      const { code, stderr } = await run(command.split(" "), {
        cwd: folder,
        env: {
          HEX_SECRET: SECRET,
          DATABASE_URL: "sqlite:hexhook.db",
          HEX_SCOPES: "read:health",
          ...env,
        },
        input,
      });

      expect({ code, stderr }).toEqual({
        code: 70,
        stderr: expect.stringMatching(
          new RegExp(
            `schema version ${NEWER}, newer than this program's ${LATEST}: install the newer hexhook that wrote it`,
          ),
        ),
      });
      expect([dump(file), schemaOf(file)]).toEqual(before);
      expect(readFileSync(path.join(folder, "key"), "utf8")).toBe(
        "a-key-of-the-hex-api-0123456789",
      );
    },
  );

  it("is rejected also if it became newer while a start waited for the lock", async () => {
    createOldStore(file, OLDER_VERSIONS.at(-1)!);
    const db = openFile(file);
    db.exec("BEGIN IMMEDIATE");
    const child = spawn(process.execPath, [CLI, "migrate"], {
      cwd: folder,
      env: environment({ DATABASE_URL: "sqlite:hexhook.db" }),
      stdio: ["ignore", "ignore", "pipe"],
    });
    cleanUp(() => child.kill("SIGKILL"));
    const ended = once(child, "close");
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const ends = (): boolean => child.exitCode !== null;
    await eventually(() => ends() || holdersOf(`${file}-wal`) >= 2);
    // The wait is long, because another process may be migrating a large store.
    const slept = sleepsOf(child.pid!);
    await eventually(() => ends() || sleepsOf(child.pid!) >= slept + 40);
    db.exec(MIGRATIONS.at(-1)!.sql);
    db.exec(`PRAGMA user_version = ${NEWER}`);
    db.exec("COMMIT");
    db.close();
    expect(await ended).toEqual([70, null]);
    expect(stderr).toContain("install the newer hexhook");
    expect(schemaOf(file)[0]).toBe(NEWER);
  });
});

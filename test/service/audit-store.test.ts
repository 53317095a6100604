import { beforeEach, describe, expect, it } from "@jest/globals";
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventBody, SECRET, signed, TODAY } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { hexhook, type Result } from "../support/hexhook.ts";
import { manualTime } from "../support/manual-time.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { openFile } from "../support/store-file.ts";
import {
  temporaryFolder,
  type TemporaryFolder,
} from "../support/temporary-folder.ts";

const DAY_MS = 86_400_000;

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

const verify = (...args: string[]): Promise<Result> =>
  hexhook(["audit", "verify", ...args], {
    cwd: folder.path,
    env: {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      DATABASE_URL: "sqlite:hexhook.db",
    },
  });

/** Changes the store like an attacker who can write its file. */
function tamper(...statements: string[]): void {
  const db = openFile(inFolder("hexhook.db"));
  for (const statement of statements) {
    expect(db.prepare(statement).run().changes).toBeGreaterThan(0);
  }
  db.close();
}

async function post(service: TestService, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    const body = eventBody(id);
    const headers = signed(body);
    expect((await service.post(body, headers)).status).toBe(200);
  }
}

/** Runs a service that receives these events. */
async function runWith(...ids: string[]): Promise<void> {
  const service = await startTestService(folder.path);
  await post(service, ...ids);
  await service.stop();
}

const DELETE_EVENT = [
  "DELETE FROM attempt WHERE delivery_id IN (SELECT id FROM delivery WHERE event_seq = (SELECT seq FROM event WHERE id = 'evt_2'))",
  "DELETE FROM delivery WHERE event_seq = (SELECT seq FROM event WHERE id = 'evt_2')",
  "DELETE FROM event WHERE id = 'evt_2'",
];

describe("hexhook audit verify on a store", () => {
  it("finds an untouched store intact, and each event as it was accepted", async () => {
    await runWith("evt_1", "evt_2", "evt_\u0000\ud83d\ude80");
    expect(await verify()).toMatchObject({ code: 0 });
  });

  it.each<[string, string[], string]>([
    [
      "a body that was replaced",
      ["UPDATE event SET body = CAST('{}' AS BLOB) WHERE id = 'evt_2'"],
      "event hex/evt_2: the stored body is not the one",
    ],
    [
      "a body that was replaced with its digest",
      [
        "UPDATE event SET body = CAST(body || ' ' AS BLOB), body_sha256 = zeroblob(32) WHERE id = 'evt_2'",
      ],
      "event hex/evt_2: the stored body is not the one",
    ],
    [
      "an event that was deleted",
      DELETE_EVENT,
      "event hex/evt_2: the event was accepted, but is no longer stored",
    ],
    [
      "an event that was given another id",
      ["UPDATE event SET id = 'evt_9' WHERE id = 'evt_2'"],
      "event hex/evt_9: the event is stored, but no entry",
    ],
    [
      "an event that was inserted",
      [
        "INSERT INTO event (source, id, type, received_at, content_type, headers, body_sha256, mac, body) SELECT source, 'evt_9', type, received_at, content_type, headers, body_sha256, zeroblob(32), body FROM event WHERE id = 'evt_2'",
      ],
      "event hex/evt_9: the event is stored, but no entry",
    ],
    ...[0, -5, 65_536 * 3].map((seq): [string, string[], string] => [
      `an event that was inserted with the number ${seq}`,
      [
        `INSERT INTO event (seq, source, id, type, received_at, content_type, headers, body_sha256, mac, body) SELECT ${seq}, source, 'evt_9', type, received_at, content_type, headers, body_sha256, zeroblob(32), body FROM event WHERE id = 'evt_2'`,
      ],
      "event hex/evt_9: the event is stored, but no entry",
    ]),
    [
      "an entry that was inserted before the first one",
      [
        "INSERT INTO audit_entry (position, writer, line) SELECT -1, writer, replace(line, 'server', 'sarver') FROM audit_entry ORDER BY position LIMIT 1",
      ],
      "TAMPERED",
    ],
    [
      "an event with a changed time",
      ["UPDATE event SET received_at = received_at + 1 WHERE id = 'evt_2'"],
      "event hex/evt_2: the event was accepted, but is no longer stored",
    ],
  ])("finds %s", async (_what, statements, words) => {
    await runWith("evt_1", "evt_2", "evt_3");
    tamper(...statements);
    const { code, stdout } = await verify();
    expect(code).toBe(1);
    expect(stdout.replace(/\n {4}/g, " ")).toContain(words);
  });

  it("detects only with an anchor file that the newest run was deleted or cut back to a checkpoint", async () => {
    const anchors = inFolder("anchors.log");
    const env = { AUDIT_ANCHOR_FILE: anchors };
    const first = await startTestService(folder.path, { env });
    await post(first, "evt_1");
    await first.stop();
    writeFileSync(inFolder("kept.log"), readFileSync(anchors));
    const second = await startTestService(folder.path, { env });
    await post(second, "evt_2");
    const { writer } = (await second.lastEntry())!.chain;
    await second.stop();
    const proven = await verify("--anchors", "anchors.log");
    expect(proven).toMatchObject({ code: 0 });
    expect(proven.stdout).not.toContain("unproven");

    renameSync(inFolder("hexhook.db"), inFolder("whole.db"));
    const whole = openFile(inFolder("whole.db"));
    whole.exec(`VACUUM INTO '${inFolder("hexhook.db")}'`);
    // Cut back to the checkpoint after its start. The event that it accepted is deleted, and the heads table matches.
    const place = `writer = '${writer}' AND position > (SELECT position FROM audit_entry WHERE writer = '${writer}' ORDER BY position LIMIT 1 OFFSET 1)`;
    tamper(
      ...DELETE_EVENT,
      `DELETE FROM audit_entry WHERE ${place}`,
      `UPDATE audit_writer SET seq = 2, hash = (SELECT substr(line, -66, 64) FROM audit_entry WHERE writer = '${writer}' ORDER BY position DESC LIMIT 1) WHERE writer = '${writer}'`,
    );
    const cut = await verify();
    expect(cut).toMatchObject({ code: 0 });
    expect(cut.stdout).toContain(
      `${writer}  seq 1 to 2, anchored to the end, unproven: 1 to 2`,
    );
    expect((await verify("--anchors", "anchors.log")).stdout).toContain(
      `TAMPERED: writer ${writer}, seq 3: cut off`,
    );
    // The complete run is deleted.
    tamper(
      `DELETE FROM audit_entry WHERE writer = '${writer}'`,
      `DELETE FROM audit_writer WHERE writer = '${writer}'`,
    );
    expect(await verify()).toMatchObject({ code: 0 });
    expect(await verify("--anchors", "kept.log")).toMatchObject({ code: 0 });
    expect((await verify("--anchors", "anchors.log")).stdout).toContain(
      `TAMPERED: writer ${writer}, seq 1: all entries of this writer are missing`,
    );
    whole.close();
  });

  it("accepts what the retention has deleted and named in a signed entry: events, then their entries", async () => {
    const time = manualTime();
    let clock = Date.now() - 100 * DAY_MS;
    const now = (): number => clock;
    const env = { EVENT_RETENTION_DAYS: "10", AUDIT_RETENTION_DAYS: "50" };
    const anchors = { AUDIT_ANCHOR_FILE: inFolder("anchors.log") };
    const start = (): Promise<TestService> =>
      startTestService(folder.path, {
        env: { ...env, ...anchors },
        deps: { now },
      });
    const old = await start();
    for (const id of ["evt_1", "evt_2"]) {
      const body = eventBody(id);
      expect((await old.post(body, signed(body, { at: clock }))).status).toBe(
        200,
      );
    }
    await eventually(
      async () =>
        (await old.entries()).filter(
          ({ action }) => action === "delivery.succeeded",
        ).length === 2,
    );
    await old.stop();
    // First after the retention of events but not of entries, then after that of entries.
    for (const [days, resource] of [
      [20, "/events"],
      [60, "/audit"],
    ] as const) {
      clock += days * DAY_MS;
      const service = await start();
      // A startup this long after the last one purges nothing for a day.
      clock += DAY_MS;
      const body = eventBody(`evt_${resource}`);
      expect(
        (await service.post(body, signed(body, { at: clock }))).status,
      ).toBe(200);
      await time.passMinutesUntil(async () =>
        (await service.entries()).some(
          (entry) =>
            entry.action === "retention.purged" && entry.resource === resource,
        ),
      );
      // This holds even before the process writes its next regular checkpoint.
      expect(await verify()).toMatchObject({ code: 0 });
      await service.stop();
      expect(await verify("--anchors", "anchors.log")).toMatchObject({
        code: 0,
      });
    }
  });
});

describe("AUDIT_ANCHOR_FILE", () => {
  it("gets one line for each checkpoint and no other entry, across restarts and after an incomplete line", async () => {
    const file = inFolder("anchors.log");
    const env = { AUDIT_ANCHOR_FILE: file };
    writeFileSync(file, "1111aaaa:4");
    for (const id of ["evt_1", "evt_2"]) {
      const service = await startTestService(folder.path, { env });
      await post(service, id);
      await service.stop();
    }
    const db = openFile(inFolder("hexhook.db"), { readOnly: true });
    const lines = db
      .prepare<[], { line: string }>(
        'SELECT line FROM audit_entry WHERE line LIKE \'%"action":"audit.checkpoint"%\' ORDER BY position',
      )
      .all()
      .map(({ line }) => {
        const { chain, hash } = JSON.parse(line) as {
          chain: { writer: string; seq: number };
          hash: string;
        };
        return `${chain.writer}:${chain.seq}:${hash}`;
      });
    db.close();
    expect(lines.length).toBe(4);
    expect(readFileSync(file, "utf8")).toBe(
      `1111aaaa:4\n${lines.join("\n")}\n`,
    );
  });

  it("stops the startup with an error that names it if it cannot be appended to", async () => {
    const env = { AUDIT_ANCHOR_FILE: inFolder("none/anchors.log") };
    await expect(startTestService(folder.path, { env })).rejects.toThrow(
      "AUDIT_ANCHOR_FILE: the file cannot be opened for appending (ENOENT)",
    );
  });
});

import { expect, it } from "@jest/globals";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { parseEntry } from "../../src/audit/parsed-entry.ts";
import {
  documentedCommands,
  runCommands,
} from "../support/documented-commands.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { serve } from "../support/processes.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const DOCUMENT = "backup-and-recovery.md";

const modeOf = (file: string): number => statSync(file).mode & 0o777;

it("the documented commands back up a store and restore it, and the service reports that it is older than AUDIT_FILE", async () => {
  const folder = temporaryFolder().path;
  const at = (...names: string[]): string => path.join(folder, ...names);
  mkdirSync(at("data"), { mode: 0o700 });
  mkdirSync(at("place"));
  const inFolder = (commands: string): string =>
    commands.replaceAll("/another/place/", `${at("place")}/`);
  const env = {
    DATABASE_URL: "sqlite:data/hexhook.db",
    AUDIT_FILE: "audit.log",
    AUDIT_ANCHOR_FILE: "anchors.log",
  };
  const audit = (...args: string[]) =>
    hexhook(["audit", "verify", ...args], { cwd: folder });

  const first = await serve(folder, env);
  const accept = async (id: string): Promise<void> => {
    const body = eventBody(id);
    expect((await first.post(body, signed(body))).status).toBe(200);
    // A killed service would leave nothing of it in the file.
    await eventually(() => readFileSync(at("audit.log"), "utf8").includes(id));
  };
  await accept("evt_before");
  const [backup] = documentedCommands(DOCUMENT, "To take a backup");
  expect(backup).toContain("hexhook backup ");
  const taken = runCommands(inFolder(backup!), { cwd: folder });
  expect([taken.status, taken.stderr]).toEqual([0, ""]);
  expect(taken.stdout).toContain("intact");
  expect(modeOf(at("backup.db"))).toBe(0o600);
  await accept("evt_after");
  // Writes the checkpoint that the anchor is made of.
  await first.stop();

  // The disk loses the database and the key, and keeps the log of a killed service.
  writeFileSync(at("data", "hexhook.db"), "damaged");
  writeFileSync(at("data", "hexhook.db-wal"), "of another database");
  writeFileSync(at("data", "hexhook.db-shm"), "of another database");
  renameSync(at("data", "hexhook.db-audit-key.pem"), at("lost-key.pem"));
  const [restore] = documentedCommands(DOCUMENT, "To restore a backup");
  expect(restore).toContain("mv ");
  const restored = runCommands(inFolder(restore!), { cwd: folder });
  expect([restored.status, restored.stderr]).toEqual([0, ""]);
  expect(restored.stdout).toContain("intact");
  for (const name of ["hexhook.db", "hexhook.db-audit-key.pem"]) {
    expect(modeOf(at("data", name))).toBe(0o600);
    expect(statSync(at("data", name)).uid).toBe(statSync(at("data")).uid);
  }
  expect(readFileSync(at("data", "hexhook.db-audit-key.pem"))).toEqual(
    readFileSync(at("lost-key.pem")),
  );
  expect(existsSync(at("data", "replaced", "hexhook.db-wal"))).toBe(true);

  const linesOf = (name: string): string[] =>
    readFileSync(at(name), "utf8").split("\n").filter(Boolean);
  const last = parseEntry(linesOf("audit.log").at(-1)!)!;
  const { writer, seq } = last.chain;
  const options = {
    env: {
      DATABASE_URL: `sqlite:${at("data", "hexhook.db")}`,
      AUDIT_FILE: at("audit.log"),
      AUDIT_ANCHOR_FILE: at("anchors.log"),
    },
  };
  const second = await startTestService(folder, options);
  expect(second.log.text).toContain(
    "audit file has entries that the store lacks",
  );
  const started = (await second.entries()).filter(
    ({ action }) => action === "server.started",
  );
  expect(started.at(-1)?.metadata["auditFileAhead"]).toEqual({ writer, seq });
  // The sender sends the missing event again.
  expect((await second.post(eventBody("evt_after"))).json).toMatchObject({
    status: "accepted",
  });
  expect((await second.post(eventBody("evt_before"))).json).toMatchObject({
    status: "duplicate",
  });
  await second.stop();

  // What the documentation says about each verification.
  expect(await audit()).toMatchObject({ code: 0 });
  expect(await audit("--file", "audit.log")).toMatchObject({ code: 0 });
  expect(await audit("--anchors", "anchors.log")).toMatchObject({
    code: 1,
    stdout: expect.stringContaining("cut off"),
  });
  expect(
    await audit("--file", "audit.log", "--anchors", "anchors.log"),
  ).toMatchObject({ code: 0 });
  const [search] = documentedCommands(DOCUMENT, "After a restore");
  const found = runCommands(
    search!.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d/, "2026-01-01T00:00"),
    { cwd: folder },
  );
  expect(found.stdout.trim().split("\n")).toEqual(
    linesOf("audit.log").filter((line) => line.includes("webhook.accepted")),
  );
  const later = runCommands(
    search!.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d/, "2999-01-01T00:00"),
    { cwd: folder },
  );
  expect(later.stdout).toBe("");

  // With a new anchor file the verification succeeds again. The last entry is known, so the start does not report it again.
  renameSync(at("anchors.log"), at("anchors-before.log"));
  const third = await startTestService(folder, options);
  expect(third.log.text).not.toContain("the store lacks");
  await third.stop();
  expect(await audit("--anchors", "anchors.log")).toMatchObject({ code: 0 });
});

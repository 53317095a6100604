import { expect, it } from "@jest/globals";
import { mkdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import path from "node:path";
import { overwrite } from "../support/damage.ts";
import {
  documentedCommands,
  runCommands,
} from "../support/documented-commands.ts";
import { eventBody } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { storeFileIn } from "../support/open-test-store.ts";
import { inProject } from "../support/project.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { storedEvents } from "../support/stored-events.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const PAGE = 4096;
const EVENTS = 200;

/** Overwrites the header, one page of deliveries, and one page in the middle of the events that holds no other rows. */
function damage(file: string): void {
  const [deliveries] = readColumn(
    file,
    "SELECT pageno FROM dbstat WHERE name = 'delivery' AND pagetype = 'leaf' LIMIT 1",
  );
  overwrite(file, (Number(deliveries) - 1) * PAGE, PAGE, 0x5a);
  const bytes = readFileSync(file);
  const pages = Array.from({ length: statSync(file).size / PAGE }, (_, n) => n);
  const LEAF_OF_TABLE = 0x0d;
  const ofEvents = pages.filter((n) => {
    const page = bytes.subarray(n * PAGE, (n + 1) * PAGE);
    return n > 0 && page[0] === LEAF_OF_TABLE && page.includes("evt_1");
  });
  const page = ofEvents[Math.floor(ofEvents.length / 2)]!;
  overwrite(file, page * PAGE, PAGE, 0x5a);
  overwrite(file, 0, 100, 0x5a);
}

it("the documented commands recover a damaged store, which then starts and has all intact events", async () => {
  const folder = temporaryFolder().path;
  const data = path.join(folder, "data");
  mkdirSync(data);
  const file = storeFileIn(data);
  const first = await startTestService(data);
  for (let n = 0; n < EVENTS; n += 1) {
    await first.post(eventBody(`evt_${n}`));
  }
  await first.stop();
  const before = storedEvents(file).map(({ id }) => id);
  damage(file);
  await expect(startTestService(data)).rejects.toThrow("SQLITE_NOTADB");

  symlinkSync(inProject("docs"), path.join(folder, "docs"));
  const [commands] = documentedCommands(
    "backup-and-recovery.md",
    "To recover a damaged store",
  );
  expect(commands).toContain("recover-store.mjs");
  const { status, stdout, stderr } = runCommands(commands!, { cwd: folder });

  expect(stderr).toBe("");
  expect(stdout).toContain("header: replaced");
  // The last command, `audit verify`, names the lost entries and events.
  expect(status).toBe(1);
  expect(readColumn(file, "PRAGMA integrity_check")).toEqual(["ok"]);
  const after = storedEvents(file).map(({ id }) => id);
  expect(before).toEqual(expect.arrayContaining(after));
  expect(after.length).toBeGreaterThan(EVENTS / 2);
  const listed = await hexhook(["events", "list", "--limit", "500", "--json"], {
    cwd: folder,
  });
  expect(listed.code).toBe(0);
  expect(listed.stdout.trim().split("\n")).toHaveLength(after.length);

  const second = await startTestService(data);
  expect((await second.post(eventBody("evt_new"))).status).toBe(200);
  // The store accepts a recovered event that is signed again.
  expect((await second.post(eventBody(after[0]!))).status).not.toBe(503);
});

import { beforeAll, describe, expect, it } from "@jest/globals";
import { copyFileSync, unlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { signingKeyFile } from "../../src/store/open.ts";
import { DAMAGE, overwriteRoot } from "../support/damage.ts";
import {
  eventBody,
  SECRET,
  signed,
  sqliteUrl,
  TODAY,
} from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { serve } from "../support/processes.ts";
import type { StoreError } from "../../src/errors.ts";
import { hexhook } from "../support/hexhook.ts";
import { openTestStore, storeFileIn } from "../support/open-test-store.ts";
import { startTestService } from "../support/service.ts";
import { recordOf, SQLITE_KINDS } from "../support/stores.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let whole: string;

beforeAll(async () => {
  const folder = temporaryFolder().path;
  whole = storeFileIn(folder);
  const service = await startTestService(folder);
  for (let n = 0; n < 40; n += 1) {
    await service.post(eventBody(`evt_${n}`));
  }
  await service.stop();
});

/** A copy of a closed store in a new directory. */
function copyOfStore(): { folder: string; file: string } {
  const folder = temporaryFolder().path;
  const file = storeFileIn(folder);
  copyFileSync(whole, file);
  copyFileSync(
    signingKeyFile(sqliteUrl(whole)),
    signingKeyFile(sqliteUrl(file)),
  );
  return { folder, file };
}

const COMMANDS = [
  "events list",
  "events show evt_5",
  "events redeliver --all --as alice",
  "audit tail",
  "audit verify",
  "audit scopes",
  "migrate",
  "secrets check",
  "keys rotate --offline --from new-key",
  "doctor",
];

async function run(
  command: string,
  folder: string,
): ReturnType<typeof hexhook> {
  writeFileSync(path.join(folder, "key"), `hex-key-${"a".repeat(40)}`);
  writeFileSync(path.join(folder, "new-key"), `hex-key-${"b".repeat(40)}`);
  return hexhook(command.split(" "), {
    cwd: folder,
    env: {
      DATABASE_URL: "sqlite:hexhook.db",
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HEX_SCOPES: "read:health",
      HEX_WRITE_KEY_FILE: "key",
      // No process listens there.
      HEX_API_URL: "http://127.0.0.1:9",
    },
  });
}

/** Commands that do not end with exactly one error line. */
const OTHERS = ["doctor", "migrate"];

describe.each(Object.entries(DAMAGE))("a store with %s", (_, damage) => {
  it.each(COMMANDS.filter((command) => !OTHERS.includes(command)))(
    "ends `hexhook %s` with one line that says what to do",
    async (command) => {
      const { folder, file } = copyOfStore();
      damage(file);
      const { code, stderr } = await run(command, folder);
      expect(code).toBe(70);
      expect(stderr).toMatch(
        /^hexhook: [^\n]*(?:To recover a damaged store|restore a backup)[^\n]*\n$/,
      );
    },
  );

  it("is rejected by `hexhook migrate` if the damage is in the schema", async () => {
    const { folder, file } = copyOfStore();
    damage(file);
    const { code, stderr } = await run("migrate", folder);
    // The command reads the schema and no row.
    expect(`${code} ${stderr}`).toMatch(/^(?:0 |70 hexhook: [^\n]+\n)$/);
  });

  it("is a failed check of `hexhook doctor`, which continues with the other checks", async () => {
    const { folder, file } = copyOfStore();
    damage(file);
    const { code, stdout, stderr } = await run("doctor", folder);
    expect({ code, stderr }).toEqual({ code: 1, stderr: "" });
    expect(stdout).toMatch(/^FAIL {2}Audit/m);
    expect(stdout).toMatch(/^PASS {2}/m);
  });

  it("prevents the startup of the service", async () => {
    const { folder, file } = copyOfStore();
    damage(file);
    await expect(startTestService(folder)).rejects.toMatchObject({
      name: "StoreError",
    });
  });
});

describe("an invalid log beside an intact database", () => {
  it.each(COMMANDS)("is ignored by `hexhook %s`", async (command) => {
    const { folder, file } = copyOfStore();
    writeFileSync(`${file}-wal`, Buffer.alloc(40_000, 0x5a));
    const { code, stderr } = await run(command, folder);
    expect(code).toBeLessThan(2);
    expect(stderr).toBe("");
  });
});

describe("damage that appears while a service runs", () => {
  it("causes a 503, and ends the process with 70 and one line that says what to do", async () => {
    const { folder, file } = copyOfStore();
    overwriteRoot(file, "event_source_id");
    const service = await serve(folder, { HANDLERS: noHandlers(folder) });
    const body = eventBody("evt_new");
    const status = await service.post(body, signed(body)).then(
      (answer) => answer.status,
      () => 503,
    );
    expect(status).toBe(503);
    expect(await service.exited).toEqual({ code: 70, signal: null });
    const fatal = service
      .stderr()
      .split("\n")
      .filter((line) => line.includes("store failed"));
    expect(fatal).toHaveLength(1);
    expect(fatal[0]).toContain("To recover a damaged store");
  });

  it.each(SQLITE_KINDS)(
    "is reported as fatal by a query: $name",
    async ({ open }) => {
      const { folder, file } = copyOfStore();
      overwriteRoot(file, "event_source_id");
      const fatal: StoreError[] = [];
      const store = await openTestStore(folder, {
        open,
        onFatal: (error) => {
          fatal.push(error);
        },
      });
      await expect(store.findEvents("evt_5")).rejects.toMatchObject({
        code: "SQLITE_CORRUPT",
        fatal: true,
      });
      await eventually(() => fatal.length > 0);
      await expect(store.record(recordOf("evt_new"))).rejects.toMatchObject({
        fatal: true,
      });
    },
  );
});

describe("a service whose store was deleted", () => {
  it("notices it without a delivery, names the file, and ends with 70", async () => {
    const { folder, file } = copyOfStore();
    const service = await serve(folder, { HANDLERS: noHandlers(folder) });
    for (const suffix of ["", "-wal", "-shm"]) {
      unlinkSync(`${file}${suffix}`);
    }
    await eventually(() =>
      fetch(`${service.url}/readyz`).then(
        ({ ok }) => !ok,
        () => true,
      ),
    );
    expect(await service.exited).toEqual({ code: 70, signal: null });
    expect(service.stderr()).toContain("hexhook.db was deleted, moved");
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import path from "node:path";
import { parseEntry } from "../../../src/audit/parsed-entry.ts";
import { openStoreReader } from "../../../src/store/open.ts";
import { loadConfig } from "../../../src/config/load-config.ts";
import { SECRET } from "../../support/fixtures.ts";
import { eventually } from "../../support/eventually.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import {
  deliver,
  postgresEnvironment,
} from "../../support/postgres-service.ts";
import { serve } from "../../support/processes.ts";
import { readTrail } from "../../support/read-trail.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

type Replica = Awaited<ReturnType<typeof serve>>;

let folder: string;
let env: Awaited<ReturnType<typeof postgresEnvironment>>;
let sent: number;

beforeEach(async () => {
  folder = temporaryFolder().path;
  sent = 0;
  env = {
    ...(await postgresEnvironment()),
    HANDLERS: noHandlers(folder),
    AUDIT_FILE: path.join(folder, "audit.log"),
  };
});

const start = () => serve(folder, env);

async function post(replica: Replica): Promise<void> {
  sent += 1;
  await deliver(replica, `evt_${sent}`);
}

const databaseUrl = () =>
  loadConfig({ HEX_SECRET: SECRET, ...env }).databaseUrl;

/** Returns the lines of the trail in the store, in order. */
async function trail(): Promise<string[]> {
  const store = await openStoreReader(databaseUrl());
  const rows = await store.readAudit(0, 10_000);
  await store.close();
  return rows.map(({ line }) => line);
}

/** Returns the lines of AUDIT_FILE, each once. */
const exported = () =>
  new Set(readFileSync(env["AUDIT_FILE"]!, "utf8").split("\n").filter(Boolean));

const hasAll = async () => {
  const lines = exported();
  return (await trail()).every((line) => lines.has(line));
};

const writersOf = (text: string) =>
  new Set(
    text
      .split("\n")
      .filter(Boolean)
      .map((line) => parseEntry(line.replace(/^\S+ (?=\{)/, ""))?.chain.writer),
  );

describe("the sinks of several processes on one database", () => {
  it("get the whole trail once: stdout that of its own process, AUDIT_FILE that of all", async () => {
    const [one, two] = [await start(), await start()];
    for (let n = 0; n < 10; n += 1) {
      await post(one);
      await post(two);
    }
    await eventually(hasAll);
    await Promise.all([one.stop(), two.stop()]);
    const [first, second] = [writersOf(one.stdout()), writersOf(two.stdout())];
    expect([first.size, second.size]).toEqual([1, 1]);
    expect([...first]).not.toEqual([...second]);
    const printed = [one, two].flatMap((replica) =>
      replica.stdout().split("\n").filter(Boolean),
    );
    expect(printed).toHaveLength((await trail()).length);
    await readTrail(databaseUrl());
  });

  it("are taken over from a process that was killed, with its last entries", async () => {
    const [one, two] = [await start(), await start()];
    await post(two);
    await eventually(hasAll);
    for (let n = 0; n < 20; n += 1) {
      await post(one);
    }
    await one.stop("SIGKILL");
    await post(two);
    await eventually(hasAll);
    const accepted = [...exported()].filter((line) =>
      line.includes("webhook.accepted"),
    );
    expect(accepted).toHaveLength(22);
  });

  it("are taken over from a process that is stopped, which does not change the position when it continues", async () => {
    const [one, two] = [await start(), await start()];
    await post(one);
    await eventually(hasAll);
    one.child.kill("SIGSTOP");
    for (let n = 0; n < 5; n += 1) {
      await post(two);
    }
    await eventually(hasAll);
    one.child.kill("SIGCONT");
    for (let n = 0; n < 5; n += 1) {
      await post(one);
      await post(two);
    }
    await eventually(hasAll);
    await Promise.all([one.stop(), two.stop()]);
    const lines = readFileSync(env["AUDIT_FILE"]!, "utf8").split("\n");
    // Repeated lines are allowed at a takeover only.
    expect(lines.length).toBeLessThan(2 * exported().size);
  });
});

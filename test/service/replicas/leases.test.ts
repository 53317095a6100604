import { beforeEach, describe, expect, it } from "@jest/globals";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { createEventSender } from "../../support/event-sender.ts";
import { eventually } from "../../support/eventually.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { createDatabase, runSql } from "../../support/postgres.ts";
import { expectIntact, linesIn } from "../../support/replica-store.ts";
import { type Replica, startReplicas } from "../../support/replicas.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let databaseUrl: string;
let file: string;

beforeEach(async () => {
  folder = temporaryFolder().path;
  databaseUrl = await createDatabase();
  file = path.join(folder, "audit.log");
});

const start = (): Promise<Replica[]> =>
  startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    HANDLERS: noHandlers(folder),
    AUDIT_FILE: file,
    AUDIT_STDOUT: "json",
  });

/** Waits until one of the replicas holds a lease, and returns it. */
const expectHolder = (
  name: "sinks" | "maintenance",
  among: readonly Replica[],
): Promise<Replica> =>
  eventually(async () => {
    const [row] = await runSql<{ holder: string }>(
      databaseUrl,
      "SELECT holder FROM lease WHERE name = $1",
      [name],
    );
    return among.find(({ now }) => now().writer() === row?.holder);
  });

/** Sends an event to each replica. */
async function sendToEach(replicas: readonly Replica[]): Promise<void> {
  for (const [n, replica] of replicas.entries()) {
    const { url } = replica.now();
    const sender = createEventSender(url, `evt_${n}_${Date.now()}`);
    expect((await sender.send()).status).toBe(200);
  }
}

const writtenLines = (): string[] =>
  existsSync(file) ? readFileSync(file, "utf8").split("\n").slice(0, -1) : [];

/** Waits until the file has every line of the trail. It may have lines twice, but no others. */
async function expectWholeTrailInFile(): Promise<void> {
  await eventually(async () => {
    const written = new Set(writtenLines());
    return (await linesIn(databaseUrl)).every((line) => written.has(line));
  });
  const stored = new Set(await linesIn(databaseUrl));
  expect(writtenLines().filter((line) => !stored.has(line))).toEqual([]);
}

describe("AUDIT_FILE of two replicas", () => {
  it("gets each entry of both once", async () => {
    const replicas = await start();
    await sendToEach(replicas);
    await expectWholeTrailInFile();
    expect(writtenLines()).toHaveLength(new Set(writtenLines()).size);
  });

  it("is continued by the other replica when the one that writes it is killed", async () => {
    const replicas = await start();
    const holder = await expectHolder("sinks", replicas);
    await sendToEach(replicas);
    await holder.now().stop("SIGKILL");
    const others = replicas.filter((one) => one !== holder);
    await sendToEach(others);
    await expectHolder("sinks", others);
    await expectWholeTrailInFile();
    await expectIntact(folder, databaseUrl);
  });

  it("is continued by the other replica when the one that writes it is stopped, and misses nothing when that one continues", async () => {
    const replicas = await start();
    const holder = await expectHolder("sinks", replicas);
    await sendToEach(replicas);
    holder.now().child.kill("SIGSTOP");
    const others = replicas.filter((one) => one !== holder);
    await sendToEach(others);
    await expectHolder("sinks", others);
    await expectWholeTrailInFile();
    holder.now().child.kill("SIGCONT");
    await sendToEach(replicas);
    await expectWholeTrailInFile();
    await expectIntact(folder, databaseUrl);
  });
});

describe("the lease on maintenance", () => {
  it("goes to the other replica when its holder is killed", async () => {
    const replicas = await start();
    const holder = await expectHolder("maintenance", replicas);
    await holder.now().stop("SIGKILL");
    await expectHolder(
      "maintenance",
      replicas.filter((one) => one !== holder),
    );
  });

  it("goes to the other replica when its holder stops", async () => {
    const replicas = await start();
    const holder = await expectHolder("maintenance", replicas);
    await holder.now().stop();
    await expectHolder(
      "maintenance",
      replicas.filter((one) => one !== holder),
    );
  });
});

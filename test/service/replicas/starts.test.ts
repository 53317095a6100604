import { beforeEach, expect, it } from "@jest/globals";
import { execFile } from "node:child_process";
import { mkdirSync } from "node:fs";
import path from "node:path";
import { promisify } from "node:util";
import { reply, startDestination } from "../../support/destinations.ts";
import { createEventSender } from "../../support/event-sender.ts";
import { eventually } from "../../support/eventually.ts";
import { SECRET } from "../../support/fixtures.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { createDatabase } from "../../support/postgres.ts";
import { environment, hexhookProcess } from "../../support/processes.ts";
import {
  entriesIn,
  expectIntact,
  expectNothingLost,
} from "../../support/replica-store.ts";
import {
  sharedSigningKey,
  startReplica,
  startReplicas,
} from "../../support/replicas.ts";
import { laterProgram } from "../../support/replicas/later-program.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let databaseUrl: string;

beforeEach(async () => {
  folder = temporaryFolder().path;
  databaseUrl = await createDatabase();
});

it("creates the tables once when ten replicas start at once on an empty database", async () => {
  const destination = await startDestination(reply(200));
  const replicas = await startReplicas(folder, 10, {
    DATABASE_URL: databaseUrl,
    DATABASE_POOL: "2",
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
  });
  const senders = replicas.map(({ now }, n) =>
    createEventSender(now().url, `evt_${n}`),
  );
  for (const sender of senders) {
    expect((await sender.send()).status).toBe(200);
  }
  const facts = senders.map((sender) => sender.facts());
  await expectNothingLost({
    ...{ folder, databaseUrl, destination },
    sent: new Map(facts.flatMap(({ sent }) => [...sent])),
    acknowledged: facts.flatMap(({ acknowledged }) => acknowledged),
    attempts: "one",
  });
  const starts = await entriesIn(databaseUrl, "server.started");
  expect(new Set(starts.map(({ chain }) => chain.writer)).size).toBe(10);
});

it("starts beside a replica of the same version", async () => {
  const key = sharedSigningKey(folder);
  const env = {
    DATABASE_URL: databaseUrl,
    AUDIT_SIGNING_KEY_FILE: key,
    HANDLERS: noHandlers(folder),
  };
  const first = await startReplica(folder, env);
  const sender = createEventSender(first.now().url);
  expect((await sender.send()).status).toBe(200);
  const second = await startReplica(folder, env);
  const viaSecond = createEventSender(second.now().url, "second");
  for (const one of [sender, viaSecond]) {
    expect((await one.send()).status).toBe(200);
  }
  await expectIntact(folder, databaseUrl);
});

it("keeps a replica running when a later version adds to the tables", async () => {
  const destination = await startDestination(reply(200));
  const env = {
    DATABASE_URL: databaseUrl,
    AUDIT_SIGNING_KEY_FILE: sharedSigningKey(folder),
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
  };
  const earlier = await startReplica(folder, env);
  const viaEarlier = createEventSender(earlier.now().url, "earlier");
  expect((await viaEarlier.send()).status).toBe(200);

  const later = path.join(folder, "later");
  mkdirSync(later);
  const cli = laterProgram(
    later,
    "ALTER TABLE event ADD COLUMN later_note text; CREATE TABLE later_table (n integer);",
  );
  const added = await startReplica(later, env, cli);
  const viaLater = createEventSender(added.now().url, "later");
  const statuses = [];
  for (let n = 0; n < 20; n += 1) {
    statuses.push((await viaEarlier.send()).status);
    statuses.push((await viaLater.send()).status);
  }
  expect(statuses.filter((status) => status !== 200)).toEqual([]);
  await eventually(() => new Set(destination.ids()).size === 41);
  expect(earlier.log()).not.toMatch(/"level":"(?:error|fatal)"/);

  // The later version verifies the trail. The earlier one cannot be started again.
  const { stdout } = await promisify(execFile)(
    process.execPath,
    [cli, "audit", "verify", "--json"],
    { env: environment({ DATABASE_URL: databaseUrl, HEX_SECRET: SECRET }) },
  );
  expect(JSON.parse(stdout)).toMatchObject({ verdict: "intact" });
  const again = await hexhookProcess(["serve"], {
    cwd: folder,
    env: { ...env, HEX_SECRET: SECRET, PORT: "0", ADMIN_PORT: "0" },
  });
  expect(again).toMatchObject({ code: 70 });
});

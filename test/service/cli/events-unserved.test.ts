import { expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { loadConfig } from "../../../src/config/load-config.ts";
import {
  ADMIN_TOKEN,
  callAdmin,
  type Json,
} from "../../support/admin-client.ts";
import { reply, startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, SECRET, TODAY } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { freePort } from "../../support/processes.ts";
import { startTestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

const WARNING =
  'hexhook: the service that started last does not serve "foo" yet: send SIGHUP to it, or restart it\n';

it("a delivery to a destination that only the command has configured is created with a warning, and waits for a reload", async () => {
  const folder = temporaryFolder().path;
  const [ci, foo] = [
    await startDestination(reply(200)),
    await startDestination(reply(200)),
  ];
  const write = (name: string, urls: Readonly<Record<string, string>>) => {
    const file = path.join(folder, name);
    const destinations = Object.fromEntries(
      Object.entries(urls).map(([key, url]) => [key, { url }]),
    );
    writeFileSync(file, JSON.stringify({ destinations }));
    return file;
  };
  const HANDLERS = noHandlers(folder);
  const env = {
    HEX_SECRET: SECRET,
    HEX_SECRET_CREATED_AT: TODAY,
    HANDLERS,
    HEXHOOK_CONFIG: write("served.yaml", { ci: ci.url }),
    ADMIN_PORT: String(await freePort()),
    ADMIN_TOKEN,
  };
  const service = await startTestService(folder, {
    env,
    deps: { intervals: { status: 20 }, readConfig: () => loadConfig(env) },
  });
  const both = { ci: ci.url, foo: foo.url };
  const HEXHOOK_CONFIG = write("command.yaml", both);
  const run = (...args: string[]) =>
    hexhook(["events", ...args], {
      cwd: folder,
      env: { DATABASE_URL: "sqlite:hexhook.db", HANDLERS, HEXHOOK_CONFIG },
    });
  expect((await service.post(eventBody("evt_1"))).status).toBe(200);
  await eventually(() => ci.attempts.length === 1);

  const route = ["redeliver", "--all", "--route"];
  const dry = await eventually(async () => {
    const result = await run(...route, "--dry-run");
    return result.stderr === "" ? null : result;
  });
  expect(dry).toEqual({
    code: 0,
    stdout:
      'would create a delivery of "evt_1" to foo\n0 would be redelivered, 1 would be created; nothing was changed\n',
    stderr: WARNING,
  });
  expect(await run(...route)).toEqual({
    code: 0,
    stdout: "0 deliveries redelivered, 1 created\n",
    stderr: WARNING,
  });
  expect((await run("list")).stdout).toContain(
    "foo: pending, 0 attempts, destination not configured in the service\n",
  );
  expect((await run("show", "evt_1")).stdout).toMatch(
    /configured in the\s+service/,
  );
  const { json } = await callAdmin(service, "GET", "/api/events/evt_1");
  expect((json["deliveries"] as Json[])[1]).toMatchObject({
    destination: "foo",
    waitsFor: "destination_gone",
  });

  write("served.yaml", both);
  await service.reload();
  await eventually(() => foo.attempts.length === 1);
  await eventually(async () => {
    const { stderr } = await run("redeliver", "evt_1", "--dry-run");
    return stderr === "";
  });
});

import { expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Webhook } from "standardwebhooks";
import { loadConfig } from "../../src/config/load-config.ts";
import { hang, reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

it("a notification is posted, never in the way of intake and deliveries, and logged if it is dropped at the stop", async () => {
  const folder = temporaryFolder().path;
  const none = path.join(folder, "none.mjs");
  writeFileSync(none, "export default {};\n");
  const destination = await startDestination(reply(410));
  const receiver = await startDestination(hang);
  const env: Record<string, string> = {
    FORWARD_URL: destination.url,
    HANDLERS: none,
    NOTIFY_URL: "http://127.0.0.1:9/old",
    NOTIFY_SECRET: SECRET,
  };
  let base = {};
  const service = await startTestService(folder, {
    env,
    deps: { readConfig: () => loadConfig({ ...base, ...env }) },
  });
  base = {
    ...service.config.settings,
    HEX_SECRET: service.config.sources[0]!.secrets[0]!.text,
    DATABASE_URL: `sqlite:${path.join(folder, "hexhook.db")}`,
  };
  env["NOTIFY_URL"] = receiver.url;
  await service.reload();

  await service.post(eventBody("evt_1"));
  const [message] = await eventually(() =>
    receiver.attempts.length === 1 ? receiver.attempts : null,
  );
  const text = message!.body.toString("utf8");
  const headers = message!.headers as Record<string, string>;
  expect(new Webhook(SECRET).verify(text, headers)).toMatchObject({
    type: "delivery.exhausted",
    data: { destination: "forward", eventId: "evt_1", status: 410, count: 1 },
  });

  // The receiver does not respond, so the first notification is still in flight.
  for (const id of ["evt_2", "evt_3"]) {
    expect(await service.post(eventBody(id))).toMatchObject({ status: 200 });
  }
  await eventually(() => destination.attempts.length === 3);
  await eventually(async () => {
    const entries = await service.entries();
    const ended = entries.filter((one) => one.action === "delivery.exhausted");
    return ended.length === 3;
  });
  await service.stop();
  expect(service.log.text).toMatch(
    /"notifications":\["delivery\.exhausted"\],"reason":"service stopped","msg":"notifications dropped"/,
  );
  expect(service.log.text).not.toContain(SECRET);
  const last = receiver.attempts.at(-1)!.body.toString("utf8");
  expect(JSON.parse(last)).toMatchObject({ data: { count: 3 } });
});

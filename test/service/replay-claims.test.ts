import { expect, it } from "@jest/globals";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { storeFileIn } from "../support/open-test-store.ts";
import { startTestService } from "../support/service.ts";
import { readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WINDOW_MS = 300_000;
const LONGEST_WINDOW_MS = 900_000;

it("a service detects a replay until its replay window plus the longest replay window have passed, even if the clock steps", async () => {
  const folder = temporaryFolder();
  const signedAt = 1_800_000_000_000;
  let now = signedAt;
  const claims = (): number =>
    Number(
      readColumn(
        storeFileIn(folder.path),
        "SELECT count(*) FROM replay_claim",
      )[0],
    );
  const start = () =>
    startTestService(folder.path, {
      env: { REPLAY_WINDOW_SECONDS: String(WINDOW_MS / 1000) },
      deps: { now: () => now },
    });
  // The claim of the first request for an event is stored in the event. This test is about the claims of later requests.
  const body = eventBody("evt_1");
  const again = signed(body, { at: signedAt });

  const first = await start();
  const accepted = signed(body, { at: signedAt - 1000 });
  expect((await first.post(body, accepted)).json["status"]).toBe("accepted");
  expect((await first.post(body, again)).json["status"]).toBe("duplicate");
  expect((await first.post(body, again)).status).toBe(409);
  await first.stop();

  // A service deletes expired claims at its start, before it stores anything.
  now = signedAt + WINDOW_MS + LONGEST_WINDOW_MS;
  const second = await start();
  const other = eventBody("evt_2");
  const otherHeaders = signed(other, { at: now });
  expect((await second.post(other, otherHeaders)).status).toBe(200);
  expect(claims()).toBe(1);
  now = signedAt;
  expect((await second.post(body, again)).status).toBe(409);
  await second.stop();

  now = signedAt + WINDOW_MS + LONGEST_WINDOW_MS + 1000;
  const third = await start();
  await eventually(() => claims() === 0);
  await third.stop();
});

import { expect, it } from "@jest/globals";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { storeFileIn } from "../support/open-test-store.ts";
import { startTestService } from "../support/service.ts";
import { openFile, readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** How long a claim is kept: its replay window, plus the longest replay window in case the clock steps back. */
const KEPT_SECONDS = 300 + 900;

it("a service deletes replay claims once their replay window has certainly passed, and no sooner", async () => {
  const at = Date.now();
  const seconds = Math.floor(at / 1000);
  const folder = temporaryFolder().path;
  const service = await startTestService(folder, {
    deps: { now: () => at },
  });
  const file = storeFileIn(folder);
  const body = eventBody("evt_1");
  const first = signed(body, { at: at - 2000 });
  const again = signed(body, { at: at - 1000 });
  expect((await service.post(body, first)).status).toBe(200);
  expect((await service.post(body, again)).json).toMatchObject({
    status: "duplicate",
  });

  // The claims that other requests would have created.
  const ages = [KEPT_SECONDS + 2, KEPT_SECONDS + 1, KEPT_SECONDS, 300, -300];
  const db = openFile(file);
  const insert = db.prepare<[number, Buffer]>(
    "INSERT INTO replay_claim (signed_at, mac, claimed_at) VALUES (?, ?, 0)",
  );
  db.exec("BEGIN");
  for (const [n, age] of ages.entries()) {
    insert.run(seconds - age, Buffer.alloc(32, n));
  }
  db.exec("COMMIT");
  db.close();
  const kept = () =>
    readColumn(file, "SELECT signed_at FROM replay_claim ORDER BY signed_at");
  await eventually(() => kept().length < ages.length + 1);

  expect(kept().map((signedAt) => seconds - Number(signedAt))).toEqual([
    KEPT_SECONDS,
    300,
    1,
    -300,
  ]);
  for (const headers of [first, again]) {
    expect(await service.post(body, headers)).toMatchObject({
      status: 409,
      json: { code: "replayed" },
    });
  }
});

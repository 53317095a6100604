import { it } from "@jest/globals";
import { createDatabase } from "../../support/postgres.ts";
import { expectRollingRestartHarmless } from "../../support/replicas/rolling-restart.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("fails no request while both replicas restart under 300 requests a second", async () => {
  await expectRollingRestartHarmless(temporaryFolder().path, {
    databaseUrl: await createDatabase(),
    rounds: 1,
  });
}, 300_000);

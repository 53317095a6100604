import { it } from "@jest/globals";
import { createDatabase } from "../../support/postgres.ts";
import { expectOtherReplicaTakesOver } from "../../support/replicas/kill-replicas.ts";
import { withSeed } from "../../support/seeded-random.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("takes over from a replica that is killed during commits and attempts, and loses nothing", async () => {
  const databaseUrl = await createDatabase();
  await withSeed((random) =>
    expectOtherReplicaTakesOver(temporaryFolder().path, {
      ...{ databaseUrl, random },
      rounds: 3,
    }),
  );
}, 300_000);

import { it } from "@jest/globals";
import { createDatabase } from "../../support/postgres.ts";
import { expectAcceptedOnce } from "../../support/replicas/accept-once.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("accepts each of 200 events once when two replicas receive it at once", async () => {
  await expectAcceptedOnce(temporaryFolder().path, {
    databaseUrl: await createDatabase(),
    pairs: 200,
  });
});

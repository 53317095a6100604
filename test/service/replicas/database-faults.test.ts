import { expect, it } from "@jest/globals";
import {
  expectFaultsLoseNothing,
  FAULTS,
  type FaultName,
} from "../../support/replicas/database-faults.ts";
import { withSeed } from "../../support/seeded-random.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it.each(Object.keys(FAULTS) as FaultName[])(
  "loses nothing when PostgreSQL %s under load, and is ready again afterwards",
  async (fault) => {
    expect.hasAssertions();
    await withSeed((random) =>
      expectFaultsLoseNothing(temporaryFolder().path, {
        ...{ random, rounds: 1 },
        faults: [fault],
      }),
    );
  },
  300_000,
);

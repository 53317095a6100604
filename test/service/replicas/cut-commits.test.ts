import { expect, it } from "@jest/globals";
import { expectCutsHarmless } from "../../support/replicas/cut-commits.ts";
import { withSeed } from "../../support/seeded-random.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

it("stores and forwards each event once when the connection is cut at a commit", async () => {
  expect.hasAssertions();
  await withSeed((random) =>
    expectCutsHarmless(temporaryFolder().path, { random, rounds: 5 }),
  );
}, 300_000);

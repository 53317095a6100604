import { beforeEach, it } from "@jest/globals";
import { withSeed } from "../support/seeded-random.ts";
import {
  expectLostAttemptsInOrder,
  expectLostAttemptsMadeAgain,
} from "../support/kill-in-attempts.ts";
import { expectKillsLoseNothing } from "../support/kill-under-load.ts";
import { expectKillsMissNoSink } from "../support/kill-with-sinks.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const HOUR_MS = 3_600_000;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

it(
  "20 kills under load lose nothing that was acknowledged",
  () =>
    withSeed((random) =>
      expectKillsLoseNothing(folder.path, { rounds: 20, random }),
    ),
  HOUR_MS,
);

it(
  "20 kills with every sink under load lose no entry at any of them",
  () =>
    withSeed((random) =>
      expectKillsMissNoSink(folder.path, { rounds: 20, random }),
    ),
  HOUR_MS,
);

it(
  "20 kills during attempts lose no delivery, and each lost attempt is repeated",
  () =>
    withSeed((random) =>
      expectLostAttemptsMadeAgain(folder.path, { rounds: 20, random }),
    ),
  HOUR_MS,
);

it(
  "20 kills during attempts keep the order of each key",
  () =>
    withSeed((random) =>
      expectLostAttemptsInOrder(folder.path, { rounds: 20, random }),
    ),
  HOUR_MS,
);

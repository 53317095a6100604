import { beforeEach, expect, it } from "@jest/globals";
import { createDatabase } from "../support/postgres.ts";
import { expectAcceptedOnce } from "../support/replicas/accept-once.ts";
import { expectCutsHarmless } from "../support/replicas/cut-commits.ts";
import {
  expectFaultsLoseNothing,
  FAULTS,
  type FaultName,
} from "../support/replicas/database-faults.ts";
import { expectOtherReplicaTakesOver } from "../support/replicas/kill-replicas.ts";
import { expectRollingRestartHarmless } from "../support/replicas/rolling-restart.ts";
import { withSeed } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const HOUR_MS = 3_600_000;

let folder: string;

beforeEach(() => {
  folder = temporaryFolder().path;
});

it(
  "accepts each of 3,000 events once when two replicas receive it at once",
  async () => {
    const databaseUrl = await createDatabase();
    await expectAcceptedOnce(folder, { databaseUrl, pairs: 3000 });
  },
  HOUR_MS,
);

it(
  "fails no request in 5 rolling restarts under 300 requests a second",
  async () => {
    const databaseUrl = await createDatabase();
    await expectRollingRestartHarmless(folder, { databaseUrl, rounds: 5 });
  },
  HOUR_MS,
);

it(
  "takes over from a killed replica 20 times, and loses nothing",
  async () => {
    const databaseUrl = await createDatabase();
    await withSeed((random) =>
      expectOtherReplicaTakesOver(folder, { databaseUrl, rounds: 20, random }),
    );
  },
  HOUR_MS,
);

it(
  "loses nothing in 20 failures of PostgreSQL",
  async () => {
    expect.hasAssertions();
    const faults = Object.keys(FAULTS) as FaultName[];
    await withSeed((random) =>
      expectFaultsLoseNothing(folder, { rounds: 20, random, faults }),
    );
  },
  HOUR_MS,
);

it(
  "stores and forwards each event once when 200 connections are cut at a commit",
  async () => {
    expect.hasAssertions();
    await withSeed((random) =>
      expectCutsHarmless(folder, { rounds: 200, random }),
    );
  },
  HOUR_MS,
);

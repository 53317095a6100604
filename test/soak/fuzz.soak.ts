import { beforeAll, expect, it } from "@jest/globals";
import { randomInt } from "node:crypto";
import { fuzz } from "../support/fuzzer.ts";
import { eventually } from "../support/eventually.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  expectHealthy,
  type ObservedService,
  startObserved,
} from "../support/observed-service.ts";

/** Takes about a minute on two cores. */
const CONNECTIONS = 50_000;
const HOUR_MS = 3_600_000;

let folder: ReturnType<typeof temporaryFolder>;
let server: ObservedService;

beforeAll(async () => {
  folder = temporaryFolder();
  server = await startObserved(folder.path);
});

const seed = randomInt(2 ** 31);
it(
  `${CONNECTIONS} hostile connections on both listeners leave no resource behind (seed ${seed})`,
  async () => {
    const before = server.openSockets();
    const ports = [server.port, server.adminPort];
    await fuzz(ports, { seed, connections: CONNECTIONS / 2, atOnce: 64 });
    const halfway = server.peakMb();
    await fuzz(ports, {
      seed: seed + 1,
      connections: CONNECTIONS / 2,
      atOnce: 64,
    });
    await eventually(() => server.openSockets() <= before);
    expect(server.peakMb()).toBeLessThan(250);
    // The second half needs hardly more memory than the first half.
    expect(server.peakMb()).toBeLessThan(halfway * 1.2);
    await expectHealthy(folder.path, server);
  },
  HOUR_MS,
);

import { beforeEach, describe, expect, it } from "@jest/globals";
import { existsSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import {
  entriesOf,
  expectLostAttemptsInOrder,
  expectLostAttemptsMadeAgain,
  statesOf,
} from "../support/kill-in-attempts.ts";
import { withSeed } from "../support/seeded-random.ts";
import { serve } from "../support/processes.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

/** Starts a service with these handlers, given as JavaScript. Returns null when it dies before it is ready. */
function start(
  handlers: string,
): Promise<Awaited<ReturnType<typeof serve>> | null> {
  writeFileSync(
    inFolder("handlers.mjs"),
    `import { existsSync, writeFileSync } from "node:fs";\nexport default ${handlers};\n`,
  );
  return serve(folder.path, {
    HANDLERS: "handlers.mjs",
    RETRY_SCHEDULE: "1h",
  }).catch(() => null);
}

async function send(
  { post }: Awaited<ReturnType<typeof serve>>,
  body: Buffer,
): Promise<void> {
  expect((await post(body, signed(body))).status).toBe(200);
}

/** Posts an event whose handler ends the process, perhaps before the response. */
async function sendPoison(
  { post }: Awaited<ReturnType<typeof serve>>,
  id: string,
): Promise<void> {
  const body = eventBody(id, "poison");
  await post(body, signed(body)).catch(() => undefined);
}

const hasEntry = async (action: string, eventId: string): Promise<boolean> =>
  (await entriesOf(folder.path, action)).some(
    ({ metadata }) => metadata["eventId"] === eventId,
  );

/** Returns whether the condition becomes true before the process ends. */
async function outlives(
  { child }: Awaited<ReturnType<typeof serve>>,
  condition: () => Promise<boolean>,
): Promise<boolean> {
  await eventually(async () => child.exitCode !== null || (await condition()));
  return child.exitCode === null;
}

/** Returns the entries of an event's lost attempts. */
const lossesOf = async (eventId: string) =>
  (await entriesOf(folder.path, "delivery.failed")).filter(
    ({ metadata }) =>
      metadata["eventId"] === eventId && metadata["reason"] === "process_died",
  );

describe("a handler that exits the process", () => {
  it("exhausts its delivery after five crashes, which are not attributed to others in flight", async () => {
    const handlers = `{
      poison: () => { process.exit(9); },
      slow: () => new Promise((resolve) => {
        if (!existsSync("hold")) resolve();
      }),
    }`;
    // At the first start these attempts do not end, so they are in flight when the process dies.
    writeFileSync(inFolder("hold"), "");
    const first = (await start(handlers))!;
    const ids = Array.from({ length: 10 }, (_, n) => `slow_${n}`);
    for (const id of ids) {
      await send(first, eventBody(id, "slow"));
    }
    await sendPoison(first, "poison");
    expect((await first.exited).code).toBe(9);
    rmSync(inFolder("hold"));

    let deaths = 1;
    let log: string;
    for (;;) {
      // A start that dies before it is seen to be ready counts too.
      const next = await start(handlers);
      if (
        next !== null &&
        (await outlives(next, () => hasEntry("delivery.exhausted", "poison")))
      ) {
        await eventually(() => next.stderr().includes("delivery exhausted"));
        log = next.stderr();
        break;
      }
      deaths += 1;
    }

    expect(deaths).toBe(5);
    const warning = log
      .split("\n")
      .find((line) => line.includes("delivery exhausted"));
    expect(JSON.parse(warning!)).toMatchObject({
      level: "warn",
      source: "hex",
      eventId: "poison",
      eventType: "poison",
      destination: "handler:poison",
      attempt: 5,
      reason: "process_died",
    });
    expect(await entriesOf(folder.path, "delivery.exhausted")).toMatchObject([
      {
        userId: "worker",
        result: "failure",
        resource: "/destinations/handler:poison",
        metadata: { eventId: "poison", reason: "process_died", crashes: 5 },
      },
    ]);
    await eventually(async () =>
      (await statesOf(folder.path, ids)).every(
        (state) => state === "succeeded",
      ),
    );
    expect(await statesOf(folder.path, ["poison"])).toEqual(["exhausted"]);
    // Some of these events were in flight. Only the first two crashes, whose cause is unknown, can be attributed to them.
    const losses = await Promise.all(ids.map(lossesOf));
    expect(losses.flat()).not.toEqual([]);
    expect(Math.max(...losses.map(({ length }) => length))).toBeLessThan(3);
  });
});

describe("a handler in flight while others end the process", () => {
  it("is not exhausted for their crashes, however many there are", async () => {
    const handlers = `{
      poison: () => { process.exit(9); },
      innocent: () => new Promise((resolve) => {
        writeFileSync("running", "");
        if (!existsSync("hold")) setTimeout(resolve, 100);
      }),
    }`;
    const done = (): Promise<boolean> =>
      hasEntry("delivery.succeeded", "innocent");
    // At the first start it is certainly in flight.
    writeFileSync(inFolder("hold"), "");
    const first = (await start(handlers))!;
    await send(first, eventBody("innocent", "innocent"));
    await eventually(() => existsSync(inFolder("running")));
    await sendPoison(first, "poison_0");
    expect((await first.exited).code).toBe(9);
    rmSync(inFolder("hold"));

    // At each further start, another event ends the process while the innocent handler may run.
    for (let n = 1; n < 200 && !(await done()); n += 1) {
      const running = await start(handlers);
      if (running !== null) {
        await sendPoison(running, `poison_${n}`);
        await outlives(running, done);
      }
    }
    expect(await statesOf(folder.path, ["innocent"])).toEqual(["succeeded"]);
    // Crashes were attributed to it while the cause was unknown, and none after that, because it runs alone.
    const { length } = await lossesOf("innocent");
    expect(length).toBeGreaterThan(0);
    expect(length).toBeLessThanOrEqual(2);
  });
});

describe("a process that is killed during attempts", () => {
  it("loses nothing, repeats attempts with the same id, and uses no attempt number twice", async () => {
    await withSeed((random) =>
      expectLostAttemptsMadeAgain(folder.path, { rounds: 3, random }),
    );
  });

  it("keeps the events of one key in order across failures and restarts", async () => {
    await withSeed((random) =>
      expectLostAttemptsInOrder(folder.path, { rounds: 3, random }),
    );
  });
});

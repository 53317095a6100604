import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { randomInt } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../../src/config/load-config.ts";
import { openStoreReader } from "../../src/store/open.ts";
import {
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventBody, signed, sqliteUrl } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";

let folder: ReturnType<typeof temporaryFolder>;
let children: ChildProcess[];
let destination: TestDestination | undefined;

const storeFile = (): string => path.join(folder.path, "hexhook.db");

beforeEach(() => {
  folder = temporaryFolder();
  children = [];
  destination = undefined;
  writeFileSync(path.join(folder.path, "none.mjs"), "export default {};");
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill("SIGKILL");
      await once(child, "exit");
    }
  }
  await destination?.close();
});

async function start(env: Environment) {
  const running = await serve(folder.path, env);
  children.push(running.child);
  return running;
}

async function send(
  { post }: Awaited<ReturnType<typeof serve>>,
  body: Buffer,
): Promise<void> {
  expect((await post(body, signed(body))).status).toBe(200);
}

const entriesOf = async (action: string) =>
  (await readTrail(storeFile())).filter((entry) => entry.action === action);

async function statesOf(ids: readonly string[]): Promise<unknown[]> {
  const store = openStoreReader(sqliteUrl(storeFile()));
  const events = await Promise.all(ids.map((id) => store.findEvents(id)));
  await store.close();
  return events.map((found) => found[0]?.deliveries[0]?.state);
}

describe("a handler that exits the process", () => {
  it("is given up after five deaths in its delivery; those under way beside it are not put down to them", async () => {
    writeFileSync(
      path.join(folder.path, "handlers.mjs"),
      `export default {
        poison: () => { process.exit(9); },
        slow: () => new Promise((resolve) => { setTimeout(resolve, 100); }),
      };`,
    );
    const env = { HANDLERS: "handlers.mjs", RETRY_SCHEDULE: "1h" };
    const first = await start(env);
    const ids = Array.from({ length: 20 }, (_, n) => `slow_${n}`);
    for (const id of ids) {
      await send(first, eventBody(id, "slow"));
    }
    await first
      .post(
        eventBody("poison", "poison"),
        signed(eventBody("poison", "poison")),
      )
      .catch(() => undefined);
    expect((await first.exited).code).toBe(9);

    let deaths = 1;
    for (;;) {
      // A start that dies before it was seen to be ready is one more.
      const next = await start(env).catch(() => null);
      const end = await Promise.race([
        next === null ? { code: 9 } : next.exited,
        eventually(
          async () => (await entriesOf("delivery.exhausted")).length > 0,
        ),
      ]);
      if (end === true) {
        break;
      }
      deaths += 1;
    }

    expect(deaths).toBe(5);
    expect(await entriesOf("delivery.exhausted")).toMatchObject([
      {
        userId: "worker",
        result: "failure",
        resource: "/destinations/handler:poison",
        metadata: { eventId: "poison", reason: "process_died", crashes: 5 },
      },
    ]);
    await eventually(async () =>
      (await statesOf(ids)).every((state) => state === "succeeded"),
    );
    expect(await statesOf(["poison"])).toEqual(["exhausted"]);
  });
});

describe("a function that others end the process beside", () => {
  it("is not given up for their deaths, however many of them there are", async () => {
    writeFileSync(
      path.join(folder.path, "handlers.mjs"),
      `export default {
        poison: () => { process.exit(9); },
        innocent: () => new Promise((resolve) => { setTimeout(resolve, 700); }),
      };`,
    );
    const env = { HANDLERS: "handlers.mjs", RETRY_SCHEDULE: "1h" };
    const storeHas = async (action: string, eventId: string) =>
      (await entriesOf(action)).some(
        ({ metadata }) => metadata["eventId"] === eventId,
      );
    let first = true;
    for (let n = 0; n < 200; n += 1) {
      const running = await start(env).catch(() => null);
      if (running === null) {
        continue;
      }
      if (first) {
        first = false;
        await send(running, eventBody("innocent", "innocent"));
      }
      if (await storeHas("delivery.succeeded", "innocent")) {
        break;
      }
      // While the innocent one runs, or may run, another one comes that ends the process.
      const body = eventBody(`poison_${n}`, "poison");
      await running.post(body, signed(body)).catch(() => undefined);
      await Promise.race([
        running.exited,
        eventually(() => storeHas("delivery.succeeded", "innocent")),
      ]);
    }
    expect(await statesOf(["innocent"])).toEqual(["succeeded"]);
    const lost = (await entriesOf("delivery.failed")).filter(
      ({ metadata }) => metadata["eventId"] === "innocent",
    );
    // Charged while nobody could tell, and never once it runs alone.
    expect(lost.length).toBeLessThanOrEqual(2);
  });
});

describe("a process that is killed during attempts", () => {
  it("loses nothing in 20 rounds; what is attempted twice carries the same id, and no attempt has a number twice", async () => {
    const answered = new Map<string, number>();
    destination = await startDestination((res, _count, { headers }) => {
      setTimeout(() => {
        const status = randomInt(10) < 2 ? 500 : 200;
        res.writeHead(status).end(() => {
          const id = String(headers["webhook-id"]);
          answered.set(
            id,
            Math.max(answered.get(id) ?? 0, status === 200 ? 1 : 0),
          );
        });
      }, randomInt(30));
    });
    const env = {
      FORWARD_URL: destination.url,
      HANDLERS: "none.mjs",
      RETRY_SCHEDULE: Array.from({ length: 60 }, () => "20ms").join(","),
    };
    const bodies = new Map<string, Buffer>();
    for (let round = 0; round < 20; round += 1) {
      const running = await start(env);
      for (let n = 0; n < 12; n += 1) {
        const id = `evt_${round}_${n}`;
        const body = eventBody(id);
        bodies.set(id, body);
        await send(running, body);
      }
      await delay(randomInt(40));
      await running.stop("SIGKILL");
    }
    await start(env);
    const ids = [...bodies.keys()];
    await eventually(
      async () => (await statesOf(ids)).every((state) => state === "succeeded"),
      30_000,
    );

    const numbers = new Set<string>();
    for (const { headers, body } of destination.attempts) {
      const id = String(headers["webhook-id"]);
      expect(body.equals(bodies.get(id)!)).toBe(true);
      numbers.add(`${id} ${String(headers["x-hexhook-attempt"])}`);
    }
    expect(ids.every((id) => answered.get(id) === 1)).toBe(true);
    expect(numbers.size).toBe(destination.attempts.length);
    expect(destination.attempts.length).toBeGreaterThan(ids.length);
    // Each that was lost has its entry, and none of them cost an attempt of the schedule.
    const lost = (await entriesOf("delivery.failed")).filter(
      ({ metadata }) => metadata["reason"] === "process_died",
    );
    expect(lost.length).toBeGreaterThan(0);
    expect(await entriesOf("delivery.exhausted")).toEqual([]);
  });

  it("keeps the events of one key in order, over failures and restarts", async () => {
    const taken = new Map<string, number[]>();
    destination = await startDestination((res, _count, { body }) => {
      const { data } = JSON.parse(body.toString()) as {
        data: { key: string; n: number };
      };
      setTimeout(() => {
        const good = randomInt(10) < 6;
        if (good) {
          taken.set(data.key, [...(taken.get(data.key) ?? []), data.n]);
        }
        res.writeHead(good ? 200 : 503).end();
      }, randomInt(15));
    });
    writeFileSync(
      path.join(folder.path, "hexhook.yaml"),
      `sources: { hex: { destinations: [ordered] } }
destinations: { ordered: { url: "${destination.url}", orderBy: /data/key, concurrency: 16 } }`,
    );
    const env = {
      HEXHOOK_CONFIG: "hexhook.yaml",
      RETRY_SCHEDULE: Array.from({ length: 60 }, () => "10ms").join(","),
    };
    const keys = ["a", "b", "c", "d", "e"];
    const ids: string[] = [];
    for (let round = 0; round < 6; round += 1) {
      const running = await start(env);
      for (let n = round * 4; n < round * 4 + 4; n += 1) {
        for (const key of keys) {
          const id = `${key}-${n}`;
          ids.push(id);
          await send(
            running,
            Buffer.from(JSON.stringify({ id, type: "t", data: { key, n } })),
          );
        }
      }
      await delay(randomInt(60));
      await running.stop("SIGKILL");
    }
    await start(env);
    await eventually(
      async () => (await statesOf(ids)).every((state) => state === "succeeded"),
      30_000,
    );
    for (const key of keys) {
      // Twice in a row: the process died before it could note that it was taken. Never one behind a later one.
      const order = taken.get(key)!.filter((n, i, all) => n !== all[i - 1]);
      expect(order).toEqual(Array.from({ length: 24 }, (_, n) => n));
    }
  });
});

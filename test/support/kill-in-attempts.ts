import { expect } from "@jest/globals";
import type { ServerResponse } from "node:http";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import type { Environment } from "../../src/config/load-config.ts";
import { openStoreReader } from "../../src/store/open.ts";
import { startDestination } from "./destinations.ts";
import { eventually } from "./eventually.ts";
import { eventBody, signed, sqliteUrl } from "./fixtures.ts";
import type { Rounds } from "./kill-rounds.ts";
import { between } from "./seeded-random.ts";
import { noHandlers } from "./no-handlers.ts";
import { storeFileIn } from "./open-test-store.ts";
import { serve } from "./processes.ts";
import { readTrail } from "./read-trail.ts";
import { startTestService } from "./service.ts";

/** Returns the state of the first delivery of each event. */
export async function statesOf(
  folder: string,
  ids: readonly string[],
): Promise<unknown[]> {
  const store = await openStoreReader(sqliteUrl(storeFileIn(folder)));
  const events = await Promise.all(ids.map((id) => store.findEvents(id)));
  await store.close();
  return events.map((found) => found[0]?.deliveries[0]?.state);
}

export const entriesOf = async (
  folder: string,
  action: string,
): Promise<ParsedEntry[]> =>
  (await readTrail(storeFileIn(folder))).filter(
    (entry) => entry.action === action,
  );

/** Returns the events with an attempt that was lost in a crash, read from the trail. */
async function lostIn(folder: string): Promise<Set<unknown>> {
  const failed = await entriesOf(folder, "delivery.failed");
  return new Set(
    failed
      .filter(({ metadata }) => metadata["reason"] === "process_died")
      .map(({ metadata }) => metadata["eventId"]),
  );
}

/**
 * Starts a destination that responds with `answer` after up to `maxMs`. It never responds to attempts of the held event, so
 * that such an attempt is in flight when the process is killed.
 */
async function startHolding(
  random: () => number,
  maxMs: number,
  answer: (res: ServerResponse, id: string, body: Buffer) => void,
) {
  let held = "";
  let arrived = "";
  const destination = await startDestination((res, _count, attempt) => {
    const id = String(attempt.headers["webhook-id"]);
    if (id === held) {
      arrived = id;
      return;
    }
    setTimeout(
      () => {
        answer(res, id, attempt.body);
      },
      between(random, 0, maxMs),
    );
  });
  return {
    ...destination,
    /** Stops responding to this event. */
    hold: (id: string) => {
      held = id;
    },
    /** Returns whether an attempt of the held event is in flight. */
    holds: () => held !== "" && arrived === held,
    letGo: () => {
      held = "";
    },
  };
}

/** Runs one round: a service accepts the events and is killed while the attempt of the first one is in flight. */
async function killDuringAttempts(
  folder: string,
  options: {
    env: Environment;
    events: readonly { id: string; body: Buffer }[];
    destination: Awaited<ReturnType<typeof startHolding>>;
    afterMs: number;
  },
): Promise<void> {
  const { env, events, destination, afterMs } = options;
  destination.hold(events[0]?.id ?? "");
  const running = await serve(folder, env);
  for (const { body } of events) {
    expect((await running.post(body, signed(body))).status).toBe(200);
  }
  await eventually(() => destination.holds());
  await delay(afterMs);
  await running.stop("SIGKILL");
  destination.letGo();
}

/**
 * Kills a service during attempts in each round. In the end everything must be delivered byte for byte. No attempt number may
 * be a duplicate. Each lost attempt needs an entry and must not count in the schedule.
 */
export async function expectLostAttemptsMadeAgain(
  folder: string,
  { rounds, random }: Rounds,
): Promise<void> {
  const answered = new Set<string>();
  const destination = await startHolding(random, 30, (res, id) => {
    const good = random() < 0.8;
    res.writeHead(good ? 200 : 500).end(() => {
      if (good) {
        answered.add(id);
      }
    });
  });
  const env = {
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    RETRY_SCHEDULE: Array.from({ length: 60 }, () => "20ms").join(","),
  };
  const bodies = new Map<string, Buffer>();
  const held: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const events = Array.from({ length: 12 }, (_, n) => {
      const id = `evt_${round}_${n}`;
      return { id, body: eventBody(id) };
    });
    held.push(events[0]!.id);
    for (const { id, body } of events) {
      bodies.set(id, body);
    }
    const afterMs = between(random, 0, 40);
    await killDuringAttempts(folder, { env, events, destination, afterMs });
  }
  await startTestService(folder, { env });
  const ids = [...bodies.keys()];
  await eventually(async () =>
    (await statesOf(folder, ids)).every((state) => state === "succeeded"),
  );

  const numbers = new Set<string>();
  for (const { headers, body } of destination.attempts) {
    const id = String(headers["webhook-id"]);
    expect(body.equals(bodies.get(id)!)).toBe(true);
    numbers.add(`${id} ${String(headers["x-hexhook-attempt"])}`);
  }
  expect([...answered].toSorted()).toEqual(ids.toSorted());
  expect(numbers.size).toBe(destination.attempts.length);
  // Each lost attempt has its entry, and none uses up an attempt of the schedule.
  const lost = await lostIn(folder);
  expect(held.filter((id) => !lost.has(id))).toEqual([]);
  expect(await entriesOf(folder, "delivery.exhausted")).toEqual([]);
}

/** Kills a service during attempts at an ordered destination in each round. The events of each key must stay in order. */
export async function expectLostAttemptsInOrder(
  folder: string,
  { rounds, random }: Rounds,
): Promise<void> {
  const KEYS = ["a", "b", "c", "d", "e"];
  const PER_ROUND = 4;
  const taken = new Map<string, number[]>();
  const destination = await startHolding(random, 15, (res, _id, body) => {
    const { data } = JSON.parse(body.toString()) as {
      data: { key: string; n: number };
    };
    const good = random() < 0.6;
    if (good) {
      taken.set(data.key, [...(taken.get(data.key) ?? []), data.n]);
    }
    res.writeHead(good ? 200 : 503).end();
  });
  const config = path.join(folder, "hexhook.yaml");
  writeFileSync(
    config,
    `sources: { hex: { destinations: [ordered] } }
destinations: { ordered: { url: "${destination.url}", orderBy: /data/key, concurrency: 16 } }`,
  );
  const env = {
    HEXHOOK_CONFIG: config,
    RETRY_SCHEDULE: Array.from({ length: 60 }, () => "10ms").join(","),
  };
  const ids: string[] = [];
  const held: string[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const first = round * PER_ROUND;
    const events = Array.from({ length: PER_ROUND }, (_, i) =>
      KEYS.map((key) => {
        const id = `${key}-${first + i}`;
        const body = { id, type: "t", data: { key, n: first + i } };
        return { id, body: Buffer.from(JSON.stringify(body)) };
      }),
    ).flat();
    held.push(events[0]!.id);
    ids.push(...events.map(({ id }) => id));
    const afterMs = between(random, 0, 60);
    await killDuringAttempts(folder, { env, events, destination, afterMs });
  }
  await startTestService(folder, { env });
  await eventually(async () =>
    (await statesOf(folder, ids)).every((state) => state === "succeeded"),
  );
  const lost = await lostIn(folder);
  expect(held.filter((id) => !lost.has(id))).toEqual([]);
  for (const key of KEYS) {
    // An event may arrive again if the process died before it recorded the success, but never after a later one.
    const order = taken.get(key)!.filter((n, i, all) => n !== all[i - 1]);
    expect(order).toEqual(
      Array.from({ length: rounds * PER_ROUND }, (_, n) => n),
    );
  }
}

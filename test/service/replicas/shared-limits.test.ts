import type { ServerResponse } from "node:http";
import { beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { callAdmin } from "../../support/admin-client.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../../support/destinations.ts";
import { createEventSender } from "../../support/event-sender.ts";
import { eventually } from "../../support/eventually.ts";
import { createDatabase, runSql } from "../../support/postgres.ts";
import { expectIntact, untilDelivered } from "../../support/replica-store.ts";
import { type Replica, startReplicas } from "../../support/replicas.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

let folder: string;
let databaseUrl: string;

beforeEach(async () => {
  folder = temporaryFolder().path;
  databaseUrl = await createDatabase();
});

/** Starts two replicas with these destinations. */
async function start(
  destinations: Record<string, string>,
  env: Record<string, string> = {},
): Promise<Replica[]> {
  const config = path.join(folder, "hexhook.yaml");
  const names = Object.keys(destinations);
  const list = names.map((name) => `  ${name}: ${destinations[name]!}\n`);
  writeFileSync(
    config,
    `sources: { hex: { secrets: [{ env: HEX_SECRET }], destinations: [${names.join(", ")}] } }
destinations:
${list.join("")}`,
  );
  return startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    HEXHOOK_CONFIG: config,
    AUDIT_STDOUT: "off",
    ...env,
  });
}

/** Sends events to both replicas in turn. Returns their ids in the order of acceptance. */
async function sendInTurn(
  replicas: readonly Replica[],
  count: number,
  name = "evt",
): Promise<string[]> {
  const senders = replicas.map(({ now }, n) =>
    createEventSender(now().url, `${name}_${n}_${Date.now()}`),
  );
  const ids: string[] = [];
  for (let n = 0; n < count; n += 1) {
    const { event, status } = await senders[n % senders.length]!.send();
    expect(status).toBe(200);
    ids.push(event.id);
  }
  return ids;
}

const untilReached = (
  destination: TestDestination,
  ids: readonly string[],
): Promise<unknown> =>
  eventually(() => {
    const reached = new Set(destination.ids());
    return ids.every((id) => reached.has(id));
  });

describe("two replicas", () => {
  it("keep the concurrency of a destination together", async () => {
    const held: ServerResponse[] = [];
    const destination = await startDestination((res) => {
      // Three attempts wait for each other. A fourth would be seen while they wait a little longer.
      if (held.push(res) === 3) {
        setTimeout(() => {
          for (const one of held.splice(0)) {
            one.writeHead(200).end();
          }
        }, 20);
      }
    });
    const replicas = await start({
      target: `{ url: "${destination.url}", concurrency: 3 }`,
    });
    const ids = await sendInTurn(replicas, 120);
    await untilReached(destination, ids);
    await untilDelivered(databaseUrl);
    expect(destination.seen().most).toBe(3);
    expect(destination.attempts).toHaveLength(ids.length);
  });

  it("keep the rate limit of a destination together", async () => {
    const destination = await startDestination(reply(200));
    const replicas = await start({
      target: `{ url: "${destination.url}", rateLimit: 10/s, concurrency: 32 }`,
    });
    const ids = await sendInTurn(replicas, 40);
    await untilReached(destination, ids);
    await untilDelivered(databaseUrl);
    expect(destination.attempts).toHaveLength(ids.length);
    const starts = (
      await runSql<{ at: number }>(
        databaseUrl,
        "SELECT started_at AS at FROM attempt ORDER BY started_at",
      )
    ).map(({ at }) => at);
    // In any period of a second, ten attempts start at most. Clocks of processes may differ a little from the database's.
    const periods = starts.slice(10).map((at, n) => at - starts[n]!);
    expect(Math.min(...periods)).toBeGreaterThan(750);
  });

  it("keep the order of each key together", async () => {
    const KEYS = 5;
    const taken = new Map<string, number[]>();
    const destination = await startDestination((res, count, { body }) => {
      const { data } = JSON.parse(body.toString()) as {
        data: { key: string; n: number };
      };
      const isGood = count % 3 !== 0;
      if (isGood) {
        taken.set(data.key, [...(taken.get(data.key) ?? []), data.n]);
      }
      res.writeHead(isGood ? 200 : 503).end();
    });
    const replicas = await start(
      {
        target: `{ url: "${destination.url}", orderBy: /data/key, concurrency: 16 }`,
      },
      { RETRY_SCHEDULE: Array.from({ length: 60 }, () => "20ms").join(",") },
    );
    const senders = replicas.map(({ now }) => createEventSender(now().url));
    const count = 100;
    for (let n = 0; n < count; n += 1) {
      const data = { key: `key_${n % KEYS}`, n };
      const body = JSON.stringify({ id: `evt_${n}`, type: "t", data });
      const { status } = await senders[n % 2]!.send(Buffer.from(body));
      expect(status).toBe(200);
    }
    await untilDelivered(databaseUrl);
    for (let key = 0; key < KEYS; key += 1) {
      expect(taken.get(`key_${key}`)).toEqual(
        Array.from({ length: count / KEYS }, (_, i) => i * KEYS + key),
      );
    }
    await expectIntact(folder, databaseUrl);
  });

  it("obey a pause and a resume that one of them received", async () => {
    const paused = await startDestination(reply(200));
    const free = await startDestination(reply(200));
    const replicas = await start({
      paused: `{ url: "${paused.url}" }`,
      free: `{ url: "${free.url}" }`,
    });
    const [first, second] = replicas.map(({ now }) => now());
    const pause = "/api/destinations/paused";
    expect(await callAdmin(first!, "POST", `${pause}/pause`)).toMatchObject({
      status: 200,
    });
    // The other replica reads the pauses once a second.
    await eventually(async () => {
      const before = paused.attempts.length;
      await untilReached(free, await sendInTurn(replicas, 4, "earlier"));
      return paused.attempts.length === before;
    });
    const ids = await sendInTurn(replicas, 20);
    await untilReached(free, ids);
    const reached = paused.ids();
    expect(ids.filter((id) => reached.includes(id))).toEqual([]);
    expect(await callAdmin(second!, "POST", `${pause}/resume`)).toMatchObject({
      status: 200,
    });
    await untilReached(paused, ids);
    await untilDelivered(databaseUrl);
  });

  it("deliver again what one of them was asked to redeliver", async () => {
    const destination = await startDestination(reply(200));
    const replicas = await start({
      target: `{ url: "${destination.url}" }`,
    });
    const ids = await sendInTurn(replicas, 4);
    await untilReached(destination, ids);
    await untilDelivered(databaseUrl);
    const [, second] = replicas.map(({ now }) => now());
    const answer = await callAdmin(second!, "POST", "/api/events/redeliver", {
      ids,
      as: "alice",
    });
    expect(answer).toMatchObject({ status: 200, json: { redelivered: 4 } });
    await eventually(() => destination.attempts.length === 8);
    await untilDelivered(databaseUrl);
  });
});

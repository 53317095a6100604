import { expect } from "@jest/globals";
import { setTimeout as delay } from "node:timers/promises";
import { reply, startDestination } from "../destinations.ts";
import { eventually } from "../eventually.ts";
import { createEventSender, type EventSender } from "../event-sender.ts";
import { inParallel } from "../in-parallel.ts";
import type { Rounds } from "../kill-rounds.ts";
import { noHandlers } from "../no-handlers.ts";
import { type OwnServer, startOwnServer } from "../postgres.ts";
import { expectNothingLost } from "../replica-store.ts";
import { startReplicas } from "../replicas.ts";
import { between } from "../seeded-random.ts";
import { watchHealth } from "./watch-health.ts";

const SENDERS = 4;
const PAUSE_MS = 20;
/** The responses without the store that are awaited before the store comes back. */
const REJECTIONS = 20;
/**
 * The service responds after 2.5 s at most. The limit is longer, because a slow machine must not fail the test, but shorter
 * than any timeout of a client.
 */
const RESPONSE_LIMIT_MS = 10_000;

/** What happens to the database server. It works again when `end` has resolved. */
interface Fault {
  readonly begin: (server: OwnServer) => Promise<void> | void;
  readonly end: (server: OwnServer) => Promise<void> | void;
}

export const FAULTS = {
  "is killed": {
    begin: (server) => server.kill(),
    end: (server) => server.start(),
  },
  "is paused": {
    begin: (server) => {
      server.pause();
    },
    end: (server) => {
      server.resume();
    },
  },
  "is stopped": {
    begin: (server) => server.stop(),
    end: (server) => server.start(),
  },
  restarts: {
    begin: async (server) => {
      await server.stop();
      await server.start();
    },
    end: () => undefined,
  },
} satisfies Record<string, Fault>;

export type FaultName = keyof typeof FAULTS;

/**
 * Lets the database server of two replicas fail under load in each round. Every request gets a response in time: 200, or 503
 * without the store. After the fault both are ready again, and the retries of the senders, identical or signed again, are
 * accepted or duplicates. Nothing acknowledged is lost. `/livez` responds with 200 all the time.
 */
export async function expectFaultsLoseNothing(
  folder: string,
  options: Rounds & { faults: readonly FaultName[] },
): Promise<void> {
  const { rounds, random, faults } = options;
  const server = await startOwnServer();
  const databaseUrl = await server.createDatabase();
  const destination = await startDestination(reply(200));
  const replicas = await startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    AUDIT_STDOUT: "off",
    RETRY_SCHEDULE: Array.from({ length: 60 }, () => "50ms").join(","),
  });
  const senders = replicas.map(({ now }, n) =>
    createEventSender(now().url, `evt_${n}`),
  );
  const livez = watchHealth(
    "/livez",
    replicas.map(({ now }) => now().port),
  );
  for (let round = 0; round < rounds; round += 1) {
    const fault: Fault = FAULTS[faults[round % faults.length]!];
    const load = startLoad(senders);
    await load.untilMore(200, SENDERS);
    await delay(between(random, 0, 150));
    await fault.begin(server);
    if (fault !== FAULTS.restarts) {
      await load.untilMore(503, REJECTIONS);
    }
    await fault.end(server);
    // Ready again without a restart.
    await load.untilMore(200, SENDERS);
    await load.stop();
    const statuses = senders.flatMap(({ open }) =>
      open().flatMap((event) => event.statuses),
    );
    expect(statuses.filter((status) => status !== 503)).toEqual([]);
    await retryAll(senders);
  }
  expect(await livez.stop()).toEqual([]);
  for (const sender of senders) {
    expect(sender.slowestMs()).toBeLessThan(RESPONSE_LIMIT_MS);
  }
  const facts = senders.map((sender) => sender.facts());
  await expectNothingLost({
    ...{ folder, databaseUrl, destination },
    sent: new Map(facts.flatMap(({ sent }) => [...sent])),
    acknowledged: facts.flatMap(({ acknowledged }) => acknowledged),
    attempts: "distinct",
  });
}

/** Lets each sender send new events, several at once, until it is stopped. */
function startLoad(senders: readonly EventSender[]) {
  const current = { isOver: false };
  const counts = senders.map(() => new Map<number | null, number>());
  const running = senders.map((sender, n) =>
    inParallel(SENDERS, async () => {
      const { status } = await sender.send();
      counts[n]!.set(status, (counts[n]!.get(status) ?? 0) + 1);
      if (status !== 200) {
        await delay(PAUSE_MS);
      }
      return !current.isOver;
    }),
  );
  return {
    /** Waits until each sender has got this status `times` times more. */
    untilMore: async (status: number, times: number): Promise<void> => {
      const targets = counts.map((count) => (count.get(status) ?? 0) + times);
      await eventually(() =>
        counts.every((count, n) => (count.get(status) ?? 0) >= targets[n]!),
      );
    },
    stop: async (): Promise<void> => {
      current.isOver = true;
      await Promise.all(running);
    },
  };
}

/** Repeats all requests without a good response: every other one identical, the others signed again. */
async function retryAll(senders: readonly EventSender[]): Promise<void> {
  for (const sender of senders) {
    for (const [n, event] of sender.open().entries()) {
      const how = n % 2 === 0 ? "identical" : "signed-again";
      const { status, json } = await sender.retry(event, how);
      expect({ id: event.id, how, status, json }).toMatchObject({
        status: 200,
        json: { id: event.id },
      });
    }
  }
}

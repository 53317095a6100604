import { expect } from "@jest/globals";
import type { ServerResponse } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { startDestination } from "../destinations.ts";
import { eventually } from "../eventually.ts";
import { createEventSender } from "../event-sender.ts";
import { inParallel } from "../in-parallel.ts";
import type { Rounds } from "../kill-rounds.ts";
import { noHandlers } from "../no-handlers.ts";
import { entriesIn, expectNothingLost } from "../replica-store.ts";
import { startReplicas } from "../replicas.ts";
import { startRoundRobin } from "../round-robin.ts";
import { between } from "../seeded-random.ts";

const SENDERS = 8;
/** A request without a response is repeated soon, but not at once. */
const PAUSE_MS = 20;

/**
 * Kills one of two replicas in each round, in the middle of commits and of attempts. The other one must take over: it accepts
 * meanwhile, and makes the attempts again that the killed one had begun. Nothing acknowledged may be lost.
 */
export async function expectOtherReplicaTakesOver(
  folder: string,
  { databaseUrl, rounds, random }: Rounds & { databaseUrl: string },
): Promise<void> {
  /** The attempts that the destination has not responded to, so that they are in flight when a replica is killed. */
  const held = new Map<string, ServerResponse>();
  let isHolding = false;
  const destination = await startDestination((res, _count, { headers }) => {
    if (isHolding) {
      held.set(String(headers["webhook-id"]), res);
    } else {
      setTimeout(() => res.writeHead(200).end(), between(random, 0, 20));
    }
  });
  const replicas = await startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    AUDIT_STDOUT: "off",
    // A lease is 5 s longer than this.
    ATTEMPT_TIMEOUT: "1s",
    RETRY_SCHEDULE: Array.from({ length: 60 }, () => "50ms").join(","),
  });
  const balancer = await startRoundRobin(() =>
    replicas.map(({ now }) => now().port),
  );
  await balancer.untilReady();
  const sender = createEventSender(balancer.url);

  for (let round = 0; round < rounds; round += 1) {
    const before = sender.facts().acknowledged.length;
    const killed = replicas[between(random, 0, 2)]!;
    const afterMs = between(random, 0, 150);
    isHolding = true;
    let isOver = false;
    const load = inParallel(SENDERS, async () => {
      const { status } = await sender.send();
      if (status !== 200) {
        await delay(PAUSE_MS);
      }
      return !isOver;
    });
    await eventually(
      () => sender.facts().acknowledged.length > before && held.size > 0,
    );
    await delay(afterMs);
    await killed.now().stop("SIGKILL");
    isHolding = false;
    const lost = [...held.keys()];
    held.forEach((res) => res.destroy());
    held.clear();
    // The other replica accepts and delivers while the killed one is down.
    const acknowledged = sender.facts().acknowledged.length;
    await eventually(
      () => sender.facts().acknowledged.length > acknowledged + SENDERS,
    );
    isOver = true;
    await load;
    const reached = (id: string): number =>
      destination.ids().filter((one) => one === id).length;
    await eventually(() => lost.every((id) => reached(id) > 1));
    await killed.start();
    await balancer.untilReady();
    // Like a sender, sends the requests without a good response again.
    for (const event of sender.open()) {
      expect((await sender.retry(event, "signed-again")).status).toBe(200);
    }
  }
  await expectNothingLost({
    ...{ folder, databaseUrl, destination, ...sender.facts() },
    attempts: "distinct",
  });
  // A lost attempt does not use up an attempt of the schedule.
  expect(await entriesIn(databaseUrl, "delivery.exhausted")).toEqual([]);
}

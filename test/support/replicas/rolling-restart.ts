import { expect } from "@jest/globals";
import { setTimeout as delay } from "node:timers/promises";
import { noHandlers } from "../no-handlers.ts";
import { reply, startDestination } from "../destinations.ts";
import { eventBody, signed } from "../fixtures.ts";
import { createPacedSender } from "../paced-sender.ts";
import { expectNothingLost } from "../replica-store.ts";
import { postBytes, startReplicas } from "../replicas.ts";
import { startRoundRobin } from "../round-robin.ts";

const CONNECTIONS = 32;
const PER_SECOND = 300;
const TICK_MS = 10;
/** A slow machine gets fewer requests a second, instead of a queue that grows. */
const MAX_IN_FLIGHT = 300;

/** Sends new events at a fixed rate until it is stopped. */
function startPacedLoad(port: number) {
  const sender = createPacedSender({
    port,
    connections: CONNECTIONS,
    localAddress: "127.0.0.1",
  });
  const sent = new Map<string, Buffer>();
  const acknowledged: string[] = [];
  const failed: (number | null)[] = [];
  const inFlight = new Set<Promise<void>>();
  let dueAt = performance.now();
  const load = { isOver: false };

  async function send(id: string): Promise<void> {
    const body = eventBody(id);
    sent.set(id, body);
    const { status } = await sender.send(postBytes(body, signed(body)));
    if (status === 200) {
      acknowledged.push(id);
    } else {
      failed.push(status);
    }
  }

  const pacing = (async (): Promise<void> => {
    while (!load.isOver) {
      for (; dueAt < performance.now(); dueAt += 1000 / PER_SECOND) {
        if (inFlight.size >= MAX_IN_FLIGHT) {
          continue;
        }
        const sending = send(`evt_${sent.size}`).finally(() =>
          inFlight.delete(sending),
        );
        inFlight.add(sending);
      }
      await delay(TICK_MS);
    }
    await Promise.all(inFlight);
    sender.close();
  })();
  return {
    sent: sent as ReadonlyMap<string, Buffer>,
    acknowledged: acknowledged as readonly string[],
    failed: failed as readonly (number | null)[],
    stop: (): Promise<void> => {
      load.isOver = true;
      return pacing;
    },
  };
}

/**
 * Restarts two replicas one after the other, while a load balancer sends them 300 requests a second. No request may fail.
 * Nothing may be lost, and no attempt number may be a duplicate.
 */
export async function expectRollingRestartHarmless(
  folder: string,
  options: { databaseUrl: string; rounds: number },
): Promise<void> {
  const { databaseUrl, rounds } = options;
  const destination = await startDestination(reply(200));
  const replicas = await startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    AUDIT_STDOUT: "off",
    // Long enough for the load balancer to see it, even on a slow machine.
    DRAIN_SECONDS: "2",
  });
  const balancer = await startRoundRobin(() =>
    replicas.map(({ now }) => now().port),
  );
  await balancer.untilReady();

  const load = startPacedLoad(balancer.port);
  for (let round = 0; round < rounds; round += 1) {
    for (const replica of replicas) {
      expect(await replica.now().stop()).toEqual({ code: 0, signal: null });
      await replica.start();
      await balancer.untilReady();
    }
  }
  await load.stop();
  expect(load.failed).toEqual([]);
  const { sent, acknowledged } = load;
  await expectNothingLost({
    ...{ folder, databaseUrl, destination, sent, acknowledged },
    attempts: "distinct",
  });
}

import { expect } from "@jest/globals";
import { reply, startDestination } from "../destinations.ts";
import { eventually } from "../eventually.ts";
import {
  createEventSender,
  type EventSender,
  type Retry,
  type SentEvent,
} from "../event-sender.ts";
import type { Rounds } from "../kill-rounds.ts";
import { noHandlers } from "../no-handlers.ts";
import { createDatabase } from "../postgres.ts";
import { type CutPoint, startPostgresProxy } from "../postgres-proxy.ts";
import { expectNothingLost } from "../replica-store.ts";
import { startReplicas } from "../replicas.ts";

/** The single statement that stores new events. */
const isAccept = (sql: string): boolean => /INSERT INTO event\b/.test(sql);

/** The end of any other transaction. */
const isTransactionEnd = (sql: string): boolean => /^COMMIT\b/im.test(sql);

/** The points at which the connection is cut, with the possible outcomes of the sender's retry after a 503. */
const POINTS: readonly { point: CutPoint; outcomes: readonly string[] }[] = [
  { point: "before-response", outcomes: ["duplicate"] },
  { point: "before-request", outcomes: ["accepted"] },
  // The process may end the statement before it is executed.
  { point: "after-request", outcomes: ["accepted", "duplicate"] },
];

/**
 * Cuts the connection of a service to its database in each round at another point, while it stores an event. If it can connect
 * again in time, it finds out what happened, and the sender gets 200. If not, the sender gets 503. Then its retry, identical
 * or signed again, is a duplicate if the event was stored. Also cuts the connection at a later commit, such as that of a claim
 * or an outcome. In the end each event is stored and forwarded once.
 */
export async function expectCutsHarmless(
  folder: string,
  { rounds, random }: Rounds,
): Promise<void> {
  const databaseUrl = await createDatabase();
  const url = new URL(databaseUrl);
  const proxy = await startPostgresProxy({ port: Number(url.port) });
  url.port = String(proxy.port);
  const destination = await startDestination(reply(200));
  const replicas = await startReplicas(folder, 2, (n) => ({
    DATABASE_URL: n === 0 ? url.href : databaseUrl,
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
    AUDIT_STDOUT: "off",
  }));
  const [cut, other] = replicas.map(({ now }) => now().url);
  const sender = createEventSender(cut!);
  const viaOther = createEventSender(other!);
  /** Waits until the service whose connection is cut stores an event. */
  const untilStored = (): Promise<unknown> =>
    eventually(async () => (await sender.send()).status === 200);

  for (let round = 0; round < rounds; round += 1) {
    const { point, outcomes } = POINTS[round % POINTS.length]!;
    const staysAway = random() < 0.5;
    const wasCut = proxy
      .cutNext(point, isAccept)
      .then(() => (staysAway ? proxy.refuse() : undefined));

    const { event, status } = await sender.send();
    await wasCut;
    const facts = { round, point, staysAway, first: status };
    expect(staysAway ? [503] : [200, 503]).toContain(status);
    await proxy.forward();
    // The process settles what is in doubt before it stores anything else.
    await untilStored();
    // After a 200, the identical request would be a replay.
    const how = status === 503 && random() < 0.5 ? "identical" : "signed-again";
    const via = random() < 0.5 ? "the same replica" : "the other replica";
    const retrying = via === "the same replica" ? sender : viaOther;
    const { json, ...answer } = await retryUntilDecided(retrying, event, how);
    expect({ ...facts, how, via, ...answer }).toEqual({
      ...{ ...facts, how, via },
      status: 200,
    });
    expect(status === 503 ? outcomes : ["duplicate"]).toContain(json["status"]);

    const current = { isCut: false };
    const laterCut = proxy.cutNext(point, isTransactionEnd).then(() => {
      current.isCut = true;
    });
    while (!current.isCut) {
      await sender.send();
    }
    await laterCut;
    for (const open of sender.open()) {
      const retried = await retryUntilDecided(sender, open, "signed-again");
      expect(retried.status).toBe(200);
    }
  }
  await expectNothingLost({
    ...{ folder, databaseUrl, destination, ...sender.facts() },
    attempts: "one",
  });
}

/** Repeats a request, as a sender does, until the response is not 503. */
const retryUntilDecided = (
  sender: EventSender,
  event: SentEvent,
  how: Retry,
): ReturnType<EventSender["retry"]> =>
  eventually(async () => {
    const response = await sender.retry(event, how);
    return response.status === 503 ? null : response;
  });

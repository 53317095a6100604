import { expect } from "@jest/globals";
import { setTimeout as delay } from "node:timers/promises";
import { reply, startDestination } from "./destinations.ts";
import { eventually } from "./eventually.ts";
import { signed } from "./fixtures.ts";
import type { Rounds } from "./kill-rounds.ts";
import { between } from "./seeded-random.ts";
import { noHandlers } from "./no-handlers.ts";
import { storeFileIn } from "./open-test-store.ts";
import { serve } from "./processes.ts";
import { readTrail } from "./read-trail.ts";
import { startTestService } from "./service.ts";
import { storedEvents } from "./stored-events.ts";
import { inParallel } from "./in-parallel.ts";

const SENDERS = 16;

/**
 * Kills a service under load in each round. Nothing that it acknowledged may be lost or changed, in the store or at the
 * destination. No attempt number may be a duplicate. The trail must be intact with one entry for each event.
 */
export async function expectKillsLoseNothing(
  folder: string,
  { rounds, random }: Rounds,
): Promise<void> {
  const destination = await startDestination(reply(200));
  const env = {
    HANDLERS: noHandlers(folder),
    FORWARD_URL: destination.url,
    ATTEMPT_TIMEOUT: "30s",
    RETRY_SCHEDULE: "50ms,100ms,200ms,400ms,800ms,1s,1s,1s",
  };
  const instants = Array.from({ length: rounds }, () =>
    between(random, 0, 150),
  );
  const sent = new Map<string, Buffer>();
  const acknowledged = new Set<string>();
  const rejected: number[] = [];

  /** Returns a body with spaces, escapes and 0 to 4 KiB of text. Parsing and serializing it would change its bytes. */
  function nextBody(): { id: string; body: Buffer } {
    const id = `evt_${sent.size}`;
    const text = "é\u2028 ".repeat(Math.floor(700 * random() ** 4));
    const body = Buffer.from(
      `{ "data":{"text":"${text}","n":1.0e1},\n"type":"resource.created","id" : "${id}" }`,
    );
    sent.set(id, body);
    return { id, body };
  }

  for (const instant of instants) {
    const before = acknowledged.size;
    const service = await serve(folder, env);
    // Waits until events are acknowledged, even on a slow machine. Then the process is killed at a random moment.
    const killed = eventually(() => acknowledged.size > before)
      .then(() => delay(instant))
      .then(() => service.stop("SIGKILL"));
    await inParallel(SENDERS, async () => {
      const { id, body } = nextBody();
      try {
        const answer = await service.post(body, signed(body));
        if (answer.status === 200) {
          acknowledged.add(id);
        } else {
          rejected.push(answer.status);
        }
        await answer.arrayBuffer();
        return true;
      } catch {
        return false;
      }
    });
    await killed;
  }
  expect(rejected).toEqual([]);
  const service = await startTestService(folder, {
    env: { ...env, SHUTDOWN_SECONDS: "30" },
  });

  // Like a sender, sends the requests without a response again. All are received now, as new or as duplicate events.
  const open = [...sent].filter(([id]) => !acknowledged.has(id));
  expect(open).not.toEqual([]);
  await Promise.all(
    open.map(async ([, body]) => {
      const at = Date.now() + 2000;
      const answer = await service.post(body, signed(body, { at }));
      if (answer.status !== 200) {
        rejected.push(answer.status);
      }
    }),
  );
  expect(rejected).toEqual([]);
  await eventually(() => new Set(destination.ids()).size >= sent.size);
  await service.stop();

  const events = storedEvents(storeFileIn(folder));
  const stored = new Map(
    events.map(({ id, body }) => [id, body.toString("latin1")]),
  );
  const wanted = new Map(
    [...sent].map(([id, body]) => [id, body.toString("latin1")]),
  );
  const lost = [...acknowledged].filter((id) => !stored.has(id));
  expect(lost).toEqual([]);
  expect(stored).toEqual(wanted);

  const attempts = destination.attempts.map(({ headers, body }) => ({
    id: String(headers["webhook-id"]),
    number: String(headers["x-hexhook-attempt"]),
    body: body.toString("latin1"),
  }));
  const wrong = attempts.filter(({ id, body }) => stored.get(id) !== body);
  expect(wrong).toEqual([]);
  // The attempt is counted durably before it starts, so no number is a duplicate.
  const numbers = attempts.map(({ id, number }) => `${id} ${number}`);
  expect(new Set(numbers).size).toBe(numbers.length);

  const trail = await readTrail(storeFileIn(folder));
  const idsOf = (action: string): unknown[] =>
    trail
      .filter((entry) => entry.action === action)
      .map(({ metadata }) => metadata["eventId"])
      .sort();
  const ids = [...stored.keys()].sort();
  expect(idsOf("webhook.accepted")).toEqual(ids);
  expect(idsOf("delivery.succeeded")).toEqual(ids);
  expect(
    trail.filter(({ action }) => action === "server.started"),
  ).toHaveLength(rounds + 1);
}

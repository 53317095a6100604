import { expect } from "@jest/globals";
import { noHandlers } from "../no-handlers.ts";
import { reply, startDestination } from "../destinations.ts";
import { createEventSender } from "../event-sender.ts";
import { eventBody, signed } from "../fixtures.ts";
import { expectNothingLost } from "../replica-store.ts";
import { postBytes, startReplicas } from "../replicas.ts";
import { sendToAll, startRoundRobin } from "../round-robin.ts";

/** Two requests that are sent at once, with the status and the body that each outcome has. */
const PAIRS = [
  {
    name: "the very same request",
    second: (body: Buffer, headers: Record<string, string>) => ({
      body,
      headers,
    }),
    outcomes: ["200 accepted", "409 replayed"],
  },
  {
    name: "the same event, signed at two times",
    second: (body: Buffer) => ({
      body,
      headers: signed(body, { at: Date.now() + 2000 }),
    }),
    outcomes: ["200 accepted", "200 duplicate"],
  },
  {
    name: "two bodies with one event id",
    second: (body: Buffer) => {
      const other = Buffer.from(`${body.toString()} `);
      return { body: other, headers: signed(other) };
    },
    outcomes: ["200 accepted", "409 event_id_conflict"],
  },
];

const outcomeOf = (status: number, json: Record<string, unknown>): string =>
  `${status} ${String(json["status"] === status ? json["code"] : json["status"])}`;

function parseResponse(text: string): string {
  const [head, body] = text.split("\r\n\r\n");
  const json = JSON.parse(body!) as Record<string, unknown>;
  return outcomeOf(Number(head!.slice(9, 12)), json);
}

/**
 * Sends pairs of requests with one event to two replicas at once, in turn directly and through a load balancer. One request
 * of each pair must be accepted, and its event is stored and forwarded once.
 */
export async function expectAcceptedOnce(
  folder: string,
  options: { databaseUrl: string; pairs: number },
): Promise<void> {
  const { databaseUrl, pairs } = options;
  const destination = await startDestination(reply(200));
  const replicas = await startReplicas(folder, 2, {
    DATABASE_URL: databaseUrl,
    FORWARD_URL: destination.url,
    HANDLERS: noHandlers(folder),
  });
  const ports = (): number[] => replicas.map(({ now }) => now().port);
  const balancer = await startRoundRobin(ports);
  await balancer.untilReady();

  const viaBalancer = createEventSender(balancer.url);
  const accepted = new Map<string, Buffer>();
  for (let n = 0; n < pairs; n += 1) {
    const { second, outcomes, name } = PAIRS[n % PAIRS.length]!;
    const body = eventBody(`evt_${n}`);
    const first = { body, headers: signed(body) };
    const requests = [first, second(body, first.headers)];
    const isDirect = n % 2 === 0;
    const responses = isDirect
      ? (
          await sendToAll(
            ports(),
            requests.map((one) => postBytes(one.body, one.headers, "close")),
          )
        ).map(parseResponse)
      : await Promise.all(
          requests.map(async (one) => {
            const { status, json } = await viaBalancer.post(one);
            return outcomeOf(status ?? 0, json);
          }),
        );
    expect({ n, name, responses: responses.toSorted() }).toEqual({
      ...{ n, name },
      responses: outcomes.toSorted(),
    });
    const at = responses.indexOf("200 accepted");
    accepted.set(`evt_${n}`, requests[at]!.body);
  }
  // Both replicas have decided some of the pairs.
  expect([...balancer.received().values()]).toHaveLength(2);
  await expectNothingLost({
    ...{ folder, databaseUrl, destination },
    sent: accepted,
    acknowledged: [...accepted.keys()],
    attempts: "one",
  });
}

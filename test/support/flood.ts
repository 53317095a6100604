import { expect } from "@jest/globals";
import { statSync } from "node:fs";
import { Agent, request } from "node:http";
import { cleanUp } from "./cleanup.ts";
import { eventBody, OTHER_SECRET, signed } from "./fixtures.ts";
import { storeFileIn } from "./open-test-store.ts";
import { readTrail } from "./read-trail.ts";

const SENDERS = 32;
const GENUINE_EVERY = 100;

/**
 * Floods a service with `forged` deliveries from a number of claimed addresses, with one genuine delivery in each hundred,
 * and stops it. Expects at most `budget` entries a minute with the rest counted, a store below `maxBytes`, and all genuine
 * deliveries accepted.
 */
export async function expectFloodWithinBudget(
  folder: string,
  options: {
    port: number;
    stop: () => Promise<unknown>;
    addresses: number;
    budget: number;
    forged: number;
    maxBytes: number;
  },
): Promise<void> {
  const { port, addresses, budget, forged, maxBytes } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: SENDERS });
  cleanUp(() => {
    agent.destroy();
  });
  const forgery = eventBody("evt_forged");
  const forgedHeaders = signed(forgery, { secret: OTHER_SECRET });

  function post(body: Buffer, headers: Record<string, string>) {
    return new Promise<number>((resolve, reject) => {
      const req = request(
        { port, agent, method: "POST", path: "/webhooks/hex", headers },
        (res) => {
          res.resume();
          res.on("end", () => {
            resolve(res.statusCode ?? 0);
          });
        },
      );
      req.on("error", reject);
      req.setHeader("content-length", body.length);
      req.end(body);
    });
  }

  const genuine: number[] = [];
  const rejected = new Set<number>();
  const began = Date.now();
  let n = 0;
  const send = async (): Promise<void> => {
    while (n < forged) {
      n += 1;
      const from = n % addresses;
      const ip = { "x-forwarded-for": `10.1.${from >> 8}.${from & 255}` };
      if (n % GENUINE_EVERY === 0) {
        const body = eventBody(`evt_${n}`);
        genuine.push(await post(body, { ...signed(body), ...ip }));
      }
      rejected.add(await post(forgery, { ...forgedHeaders, ...ip }));
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, send));
  const minutes = Math.ceil((Date.now() - began) / 60_000);
  await options.stop();

  const rightful = Math.floor(forged / GENUINE_EVERY);
  expect(genuine).toEqual(Array.from({ length: rightful }, () => 200));
  expect([...rejected].filter((s) => s !== 401 && s !== 429)).toEqual([]);
  const entries = await readTrail(storeFileIn(folder));
  const of = (action: string) => entries.filter((e) => e.action === action);
  const written = of("webhook.rejected").length;
  expect(written).toBeGreaterThanOrEqual(budget);
  expect(written).toBeLessThanOrEqual(budget * (minutes + 1));
  const suppressed = of("audit.suppressed");
  const counted = suppressed.reduce(
    (sum, { metadata }) => sum + Number(metadata["count"]),
    0,
  );
  expect(written + counted).toBe(forged);
  expect(suppressed.length).toBeLessThanOrEqual(6 * minutes + 2);
  expect(of("webhook.accepted")).toHaveLength(rightful);
  expect(statSync(storeFileIn(folder)).size).toBeLessThan(maxBytes);
}

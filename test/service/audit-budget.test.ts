import { beforeEach, describe, expect, it } from "@jest/globals";
import { eventBody, OTHER_SECRET, signed } from "../support/fixtures.ts";
import { expectFloodWithinBudget } from "../support/flood.ts";
import { suppressedIn } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

describe("a genuine request that an attacker captured and replays repeatedly", () => {
  it("causes entries within a separate budget, and is only counted above it", async () => {
    let now = Date.now();
    // The budget refills with time, so the test controls the clock.
    const service = await startTestService(folder.path, {
      deps: { now: () => now },
    });
    const caught = eventBody("evt_caught");
    const noEvent = Buffer.from("[]");
    const sendAgain = async (
      body: Buffer,
      headers: Record<string, string>,
      times: number,
    ): Promise<Set<number>> => {
      const seen = new Set<number>();
      for (let sent = 0; sent < times; sent += 50) {
        const many = Array.from({ length: 50 }, () =>
          service.post(body, headers),
        );
        for (const { status } of await Promise.all(many)) {
          seen.add(status);
        }
      }
      return seen;
    };
    const headers = signed(caught, { at: now });
    expect((await service.post(caught, headers)).status).toBe(200);
    expect(await sendAgain(caught, headers, 300)).toEqual(new Set([409]));
    const malformed = signed(noEvent, { at: now });
    expect(await sendAgain(noEvent, malformed, 250)).toEqual(new Set([400]));
    // The same response as to a forged request, in a flood too.
    const stale = signed(caught, { at: now - 400_000 });
    expect(await sendAgain(caught, stale, 600)).toEqual(new Set([401]));
    expect(await sendAgain(caught, stale, 50)).toEqual(new Set([429]));
    expect(await sendAgain(caught, headers, 50)).toEqual(new Set([409]));
    const forged = signed(caught, { secret: OTHER_SECRET });
    expect((await service.post(caught, forged)).status).toBe(429);
    const fresh = eventBody("evt_fresh");
    expect((await service.post(fresh)).status).toBe(200);
    now += 60_000;
    expect((await service.post(caught, headers)).status).toBe(409);
    await service.stop();

    const entries = await service.entries();
    const written = entries.filter(({ result, metadata }) => {
      return result === "failure" && metadata["keyId"] !== undefined;
    });
    const by = (what: string): number =>
      written.filter(
        ({ action, metadata }) => (metadata["reason"] ?? action) === what,
      ).length;
    expect(by("webhook.replayed")).toBe(301);
    expect(by("malformed_payload")).toBe(250);
    expect(by("stale_timestamp")).toBe(50);
    expect(suppressedIn(entries)).toEqual({
      stale_timestamp: 600,
      replayed: 50,
    });
    // Unverified requests have a separate budget.
    expect(entries).toContainEqual(
      expect.objectContaining({
        metadata: expect.objectContaining({ reason: "bad_signature" }),
      }),
    );
  });
});

describe("a flood of forged deliveries", () => {
  it.each([
    { from: "one address", addresses: 1, budget: 60 },
    { from: "1,000 claimed addresses", addresses: 1000, budget: 600 },
  ])(
    "from $from causes entries within the budget, does not grow the store, and does not affect genuine deliveries",
    async ({ addresses, budget }) => {
      const { port, stop } = await startTestService(folder.path, {
        env: { TRUST_PROXY: "1" },
      });
      // With an entry for each request, the store would have 1.6 MB.
      await expectFloodWithinBudget(folder.path, {
        port,
        stop,
        addresses,
        budget,
        forged: 2500,
        maxBytes: 800_000,
      });
    },
  );
});

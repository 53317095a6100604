import { beforeEach, describe, expect, it } from "@jest/globals";
import type { BreakerStatus } from "../../../src/delivery/destination-status.ts";
import { createStatusPublisher } from "../../../src/delivery/status-publisher.ts";
import type { Destination } from "../../../src/domain/destination.ts";
import { recentlyPublished } from "../../../src/events/waits.ts";
import {
  openStoreOfKind,
  SQLITE,
  type TestStore,
} from "../../support/stores.ts";

const destination: Destination = {
  name: "d",
  sources: ["hex"],
  events: ["*"],
  orderBy: null,
  kind: "http",
  place: "https://secret.example",
  concurrency: 1,
  attempt: async () => ({ ok: true }),
};

describe("the published status of a service's destinations", () => {
  let test: TestStore;
  let breaker: BreakerStatus;
  let publish: () => Promise<void>;

  beforeEach(async () => {
    test = await openStoreOfKind(SQLITE);
    breaker = { state: "closed", failures: 0, probeAt: null };
    publish = createStatusPublisher({
      store: test.store(),
      served: () => [
        {
          destination,
          worker: {
            inFlight: 0,
            paused: false,
            breaker,
            isRateLimited: false,
            rateLimitedUntil: null,
          },
        },
      ],
      monotonic: test.now,
    });
  });

  const publishedAt = async () =>
    (await test.store().processStatuses())[0]!.publishedAt;

  const after = async (milliseconds: number) => {
    test.setClock(test.now() + milliseconds);
    await publish();
    return test.now() - (await publishedAt());
  };

  it("is written after a change, and otherwise once an hour", async () => {
    await publish();
    expect(await test.store().processStatuses()).toEqual([
      {
        writer: "w1",
        publishedAt: 5000,
        destinations: [
          {
            name: "d",
            kind: "http",
            sources: ["hex"],
            events: ["*"],
            orderBy: null,
            breaker: "closed",
            probeAt: null,
            isRateLimited: false,
          },
        ],
      },
    ]);
    expect(await after(60_000)).toBe(60_000);
    breaker = { state: "open", failures: 5, probeAt: 100_000 };
    expect(await after(2000)).toBe(0);
    breaker = { state: "closed", failures: 0, probeAt: null };
    expect(await after(2000)).toBe(0);
    expect(await after(3_600_000)).toBe(0);
  });

  it("is written every few seconds while a breaker is open, and is valid for ten seconds", async () => {
    breaker = { state: "open", failures: 5, probeAt: 100_000 };
    await publish();
    expect(await after(2000)).toBe(2000);
    expect(await after(2000)).toBe(0);
    const open = () => recentlyPublished(test.store(), test.now());
    test.setClock(test.now() + 10_000);
    expect(await open()).toMatchObject([{ name: "d", breaker: "open" }]);
    test.setClock(test.now() + 1);
    expect(await open()).toEqual([]);
  });
});

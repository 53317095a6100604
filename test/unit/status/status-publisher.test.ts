import { beforeEach, describe, expect, it } from "@jest/globals";
import type { Destination } from "../../../src/domain/destination.ts";
import {
  createStatusPublisher,
  type StatusPublisher,
} from "../../../src/status/status-publisher.ts";
import type { PublishedState } from "../../../src/store/records.ts";
import { SECRET, testSource } from "../../support/fixtures.ts";

const destination: Destination = {
  name: "d",
  sources: ["hex"],
  events: ["*"],
  orderBy: null,
  kind: "http",
  place: "https://d.example",
  concurrency: 4,
  attempt: async () => ({ ok: true }),
};

describe("the published status of a service", () => {
  let states: PublishedState[];
  let publisher: StatusPublisher;

  beforeEach(() => {
    states = [];
    publisher = createStatusPublisher({
      store: {
        async publishStatus(state) {
          states.push(state);
        },
      },
      writer: "w1",
      version: "1.2.3",
      now: () => 4000,
      served: () => [
        {
          destination,
          worker: {
            inFlight: 2,
            paused: false,
            breaker: { state: "open", failures: 5, probeAt: 100_000 },
            isRateLimited: true,
            rateLimitedUntil: 90_000,
          },
        },
      ],
      sources: () => [testSource()],
      sinks: async () => [{ name: "file", lag: 3, degradedSince: 4500 }],
      readiness: async () => "ready",
      lastMinute: () => ({ accepted: 1, repeated: 2, rejected: 3 }),
    });
  });

  it("contains the state of destinations, sources and sinks, and no secret", async () => {
    const { name, keyId, createdAt, expiresAt } = testSource().secrets[0]!;
    await publisher.publish();
    expect(states).toEqual([
      {
        destinations: [
          {
            name: "d",
            kind: "http",
            sources: ["hex"],
            events: ["*"],
            orderBy: null,
            place: "https://d.example",
            concurrency: 4,
            inFlight: 2,
            breaker: "open",
            failures: 5,
            probeAt: 100_000,
            isRateLimited: true,
            rateLimitedUntil: 90_000,
          },
        ],
        service: {
          version: "1.2.3",
          startedAt: 4000,
          readiness: "ready",
          lastMinute: { accepted: 1, repeated: 2, rejected: 3 },
          sources: [
            {
              name: "hex",
              scheme: "hex",
              isDisabled: false,
              secrets: [{ name, keyId, isPublic: false, createdAt, expiresAt }],
            },
          ],
          sinks: [{ name: "file", lag: 3, degradedSince: 4500 }],
        },
      },
    ]);
    expect(JSON.stringify(states)).not.toContain(SECRET);
  });

  it("ends as stopped, unless nothing was published", async () => {
    await publisher.publishStopped();
    expect(states).toEqual([]);
    await publisher.publish();
    await publisher.publishStopped();
    expect(states.map(({ service }) => service.readiness)).toEqual([
      "ready",
      "stopped",
    ]);
  });
});

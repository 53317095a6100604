import { describe, expect, it } from "@jest/globals";
import {
  type Configured,
  readStatus,
  type StatusStore,
} from "../../../src/status/status-report.ts";
import type {
  ProcessStatus,
  PublishedDestination,
  PublishedService,
} from "../../../src/store/records.ts";
import { publishedState } from "../../support/published-state.ts";

const NOW = 100_000_000;
const DAY_MS = 86_400_000;

function destination(
  name: string,
  state: Partial<PublishedDestination> = {},
): PublishedDestination {
  return {
    name,
    kind: "http",
    sources: ["hex"],
    events: ["*"],
    orderBy: null,
    place: `https://${name}.example`,
    concurrency: 4,
    inFlight: 1,
    breaker: "closed",
    failures: 0,
    probeAt: null,
    isRateLimited: false,
    rateLimitedUntil: null,
    ...state,
  };
}

function status(
  writer: string,
  ageMs: number,
  destinations: readonly PublishedDestination[],
  service: Partial<PublishedService> = {},
): ProcessStatus {
  const publishedAt = NOW - ageMs;
  return { writer, publishedAt, ...publishedState(destinations, service) };
}

function read(
  store: {
    statuses?: readonly ProcessStatus[];
    gauges?: Awaited<ReturnType<StatusStore["destinationGauges"]>>;
    counts?: Awaited<ReturnType<StatusStore["countDeliveries"]>>;
    paused?: Awaited<ReturnType<StatusStore["pausedDestinations"]>>;
    uses?: Awaited<ReturnType<StatusStore["lastUses"]>>;
  },
  context: { own?: ProcessStatus; configured?: Configured } = {},
) {
  const { own, configured } = context;
  return readStatus(
    {
      processStatuses: async () => store.statuses ?? [],
      destinationGauges: async () => store.gauges ?? [],
      countDeliveries: async () => store.counts ?? [],
      pausedDestinations: async () => store.paused ?? [],
      lastUses: async () => store.uses ?? [],
    },
    {
      now: NOW,
      ...(own === undefined ? {} : { own }),
      ...(configured === undefined
        ? {}
        : { readConfigured: async () => configured }),
    },
  );
}

describe("the processes in a status report", () => {
  it("are unknown 10 s after their last state, and are listed for a minute", async () => {
    const { processes } = await read({
      statuses: [
        status("w4", 10_000, []),
        status("w3", 10_001, []),
        status("w2", 60_000, []),
        status("w1", 60_001, []),
      ],
    });
    expect(processes.map((one) => [one.writer, one.readiness])).toEqual([
      ["w4", "ready"],
      ["w3", "unknown"],
      ["w2", "unknown"],
    ]);
  });

  it("are the last one if none runs, and those that run if one has stopped", async () => {
    const stopped = status("w1", 5, [], { readiness: "stopped" });
    const { processes, lastMinute } = await read({ statuses: [stopped] });
    expect(processes).toMatchObject([{ writer: "w1", readiness: "stopped" }]);
    expect(lastMinute).toBeNull();
    const both = await read({ statuses: [stopped, status("w2", 1000, [])] });
    expect(both.processes).toMatchObject([{ writer: "w2" }]);
    const none = await read({});
    expect(none).toMatchObject({ processes: [], destinations: [] });
  });

  it("have no known readiness if an older version published the state", async () => {
    const old = { ...status("w1", 0, [destination("d")]), service: null };
    const report = await read({ statuses: [old] });
    expect(report.processes).toMatchObject([
      { readiness: "unknown", version: null, startedAt: null },
    ]);
    expect(report.destinations).toMatchObject([
      { name: "d", breaker: { state: "closed" } },
    ]);
  });

  it("add up their requests, and the state of this process replaces its published one", async () => {
    const lastMinute = { accepted: 1, repeated: 2, rejected: 3 };
    const report = await read(
      {
        statuses: [
          status("w1", 3000, [], { readiness: "draining", lastMinute }),
          status("w2", 3000, [], { lastMinute }),
        ],
      },
      { own: status("w1", 0, [], { lastMinute }) },
    );
    expect(report.lastMinute).toEqual({
      accepted: 2,
      repeated: 4,
      rejected: 6,
    });
    expect(report.processes.map((one) => one.readiness)).toEqual([
      "ready",
      "ready",
    ]);
  });
});

describe("the destinations in a status report", () => {
  it("have the breaker that blocks most, and the attempts of all processes", async () => {
    const { destinations } = await read({
      statuses: [
        status("w1", 0, [
          destination("d", { breaker: "half-open", probeAt: 1 }),
        ]),
        status("w2", 0, [
          destination("d", {
            breaker: "open",
            failures: 5,
            probeAt: 2,
            inFlight: 2,
            rateLimitedUntil: 7,
          }),
        ]),
        status("w3", 0, [destination("d")]),
        status("w4", 20_000, [destination("d", { inFlight: 50 })]),
      ],
    });
    expect(destinations).toMatchObject([
      {
        breaker: { state: "open", failures: 5, probeAt: 2 },
        inFlight: 4,
        rateLimitedUntil: 7,
        place: "https://d.example",
      },
    ]);
  });

  it("are those of the store too, with their deliveries and pauses", async () => {
    const pause = {
      name: "gone",
      pausedAt: 5,
      pausedBy: "anna",
      pausedUntil: null,
    };
    const report = await read({
      statuses: [status("w1", 0, [destination("d")])],
      gauges: [
        { destination: "d", pending: 20_000, oldestPendingSince: 2000 },
        { destination: "gone", pending: 1, oldestPendingSince: 1000 },
      ],
      counts: [
        { destination: "d", pending: 10_000, exhausted: 0 },
        { destination: "ended", pending: 0, exhausted: 3 },
      ],
      paused: [pause],
    });
    expect(report).toMatchObject({
      pending: 20_001,
      oldestPendingSince: 1000,
      exhausted: 3,
    });
    expect(report.destinations).toMatchObject([
      { name: "d", isConfigured: true, pending: 20_000, paused: null },
      {
        name: "gone",
        isConfigured: false,
        pending: 1,
        paused: pause,
        breaker: null,
        inFlight: 0,
      },
      { name: "ended", isConfigured: false, exhausted: 3 },
    ]);
  });

  it("are those of the configuration if no process runs, with an unknown state", async () => {
    const before = status("w1", 20_000, [destination("d"), destination("x")]);
    const configured = { sources: null, destinations: ["d", "new"] };
    const { destinations } = await read({ statuses: [before] }, { configured });
    expect(destinations).toMatchObject([
      {
        name: "d",
        isConfigured: true,
        place: "https://d.example",
        breaker: { state: "unknown" },
        inFlight: null,
      },
      { name: "new", isConfigured: true, place: null, kind: null },
    ]);
    const unread = { sources: null, destinations: null };
    const others = await read({ statuses: [before] }, { configured: unread });
    expect(others.destinations.map(({ name }) => name)).toEqual(["d", "x"]);
  });
});

describe("the sources in a status report", () => {
  const secret = (keyId: string, createdAt: number | null) => ({
    name: "S",
    keyId,
    isPublic: false,
    createdAt,
    expiresAt: null,
  });
  const source = {
    name: "hex",
    scheme: "hex",
    isDisabled: false,
    secrets: [
      secret("k1", NOW + DAY_MS / 2 - 76 * DAY_MS),
      { ...secret("k2", null), expiresAt: NOW },
      { ...secret("k3", null), expiresAt: NOW + 1 },
    ],
  };

  it("have the age and the last use of each secret", async () => {
    const { sources } = await read({
      statuses: [status("w1", 0, [], { sources: [source] })],
      uses: [
        { source: "hex", keyId: "k1", at: 10 },
        { source: "hex", keyId: "removed", at: 20 },
        { source: "other", keyId: "k2", at: 30 },
      ],
    });
    expect(sources).toMatchObject([
      {
        name: "hex",
        lastUsedAt: 20,
        secrets: [
          { role: "current", age: "due", ageDays: 75, lastUsedAt: 10 },
          { role: "previous", age: null, isExpired: true, lastUsedAt: null },
          { role: "previous", isExpired: false },
        ],
      },
    ]);
  });

  it("have no age limit for a public key, and are those of the newest process", async () => {
    const key = { ...secret("k1", null), isPublic: true };
    const { sources } = await read({
      statuses: [
        status("w2", 0, [], { sources: [{ ...source, secrets: [key] }] }),
        status("w1", 1, [], { sources: [source, { ...source, name: "a" }] }),
      ],
    });
    expect(sources).toMatchObject([
      { name: "hex", secrets: [{ keyId: "k1", age: null }] },
      { name: "a" },
    ]);
  });

  it("are those of the configuration if no process runs and it can be read", async () => {
    const statuses = [status("w1", 20_000, [], { sources: [source] })];
    const configured = {
      sources: [{ ...source, name: "new" }],
      destinations: null,
    };
    const readWith = async (sources: Configured["sources"]) =>
      (
        await read({ statuses }, { configured: { ...configured, sources } })
      ).sources.map(({ name }) => name);
    expect(await readWith(configured.sources)).toEqual(["new"]);
    expect(await readWith(null)).toEqual(["hex"]);
  });
});

describe("the sinks in a status report", () => {
  it("have the largest lag of all processes, and are unknown if none runs", async () => {
    const sinks = (lag: number, degradedSince: number | null) => ({
      sinks: [{ name: "stdout", lag, degradedSince }],
    });
    const running = await read({
      statuses: [
        status("w1", 0, [], sinks(2, null)),
        status("w2", 0, [], sinks(1, 500)),
        status("w3", 0, [], sinks(0, 400)),
      ],
    });
    expect(running.sinks).toEqual([
      { name: "stdout", lag: 2, degradedSince: 400 },
    ]);
    const ended = await read({
      statuses: [status("w1", 20_000, [], sinks(2, 400))],
    });
    expect(ended.sinks).toEqual([
      { name: "stdout", lag: null, degradedSince: null },
    ]);
  });
});

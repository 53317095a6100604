import { describe, expect, it } from "@jest/globals";
import {
  countText,
  destinationState,
  destinationText,
} from "../../../src/cli/ui/destination-text.ts";
import { statusText } from "../../../src/cli/ui/status-text.ts";
import type { DestinationReport } from "../../../src/status/destination-report.ts";
import type { SecretReport } from "../../../src/status/source-report.ts";
import type { StatusReport } from "../../../src/status/status-report.ts";

const AT = Date.parse("2026-11-26T22:30:00Z");
const HOUR_MS = 3_600_000;
const CLOSED = { state: "closed", failures: 0, probeAt: null } as const;

function destination(
  name: string,
  facts: Partial<DestinationReport> = {},
): DestinationReport {
  return {
    name,
    isConfigured: true,
    kind: "http",
    place: `https://${name}.example`,
    sources: ["hex"],
    events: ["*"],
    orderBy: null,
    concurrency: 4,
    paused: null,
    breaker: CLOSED,
    rateLimitedUntil: null,
    inFlight: 0,
    pending: 0,
    oldestPendingSince: null,
    exhausted: 0,
    ...facts,
  };
}

function secret(keyId: string, facts: Partial<SecretReport>): SecretReport {
  return {
    name: "HEX_SECRET",
    keyId,
    role: "current",
    createdAt: null,
    ageDays: null,
    age: null,
    expiresAt: null,
    isExpired: false,
    lastUsedAt: null,
    ...facts,
  };
}

const pausedBy = (pausedBy: string, pausedUntil: number | null) => ({
  paused: { name: "d", pausedAt: AT - HOUR_MS, pausedBy, pausedUntil },
});

const STATUS: StatusReport = {
  at: AT,
  processes: [
    {
      writer: "00112233aabbccdd",
      publishedAt: AT - 1000,
      version: "1.0.0",
      startedAt: AT - 2 * HOUR_MS,
      readiness: "ready",
    },
    {
      writer: "99887766aabbccdd",
      publishedAt: AT - 14_000,
      version: null,
      startedAt: null,
      readiness: "unknown",
    },
  ],
  lastMinute: { accepted: 1234, repeated: 12, rejected: 3 },
  pending: 42,
  oldestPendingSince: AT - HOUR_MS - 120_000,
  exhausted: 7,
  destinations: [
    destination("billing", {
      breaker: { state: "open", failures: 5, probeAt: AT + 12_000 },
      pending: 42,
      oldestPendingSince: AT - HOUR_MS - 120_000,
      exhausted: 7,
    }),
    destination("ci", pausedBy("anna", null)),
    destination("x".repeat(64)),
  ],
  sources: [
    {
      name: "hex",
      scheme: "hex",
      isDisabled: false,
      lastUsedAt: AT - 3000,
      secrets: [
        secret("1a2b3c4d", {
          age: "overdue",
          ageDays: 92,
          lastUsedAt: AT - 3000,
        }),
        secret("5e6f7a8b", { role: "previous", expiresAt: AT + HOUR_MS }),
      ],
    },
    {
      name: "old",
      scheme: "token",
      isDisabled: true,
      lastUsedAt: null,
      secrets: [],
    },
  ],
  sinks: [
    { name: "stdout", lag: 0, degradedSince: null },
    { name: "file", lag: 1203, degradedSince: AT - 180_000 },
    { name: "anchors", lag: null, degradedSince: null },
  ],
};

describe("the text of a status", () => {
  it("escapes all that a process publishes", () => {
    const hostile = "\u001b[2J\u202e\n\u009b1m";
    const { processes, sources, sinks } = STATUS;
    const lines = statusText(
      {
        ...STATUS,
        processes: processes.map((one) => ({
          ...one,
          writer: hostile,
          version: hostile,
        })),
        destinations: [destination(hostile, pausedBy(hostile, null))],
        sources: sources.map((one) => ({
          ...one,
          name: hostile,
          scheme: hostile,
          secrets: [secret(hostile, {})],
        })),
        sinks: sinks.map((one) => ({ ...one, name: hostile })),
      },
      { width: 400, colours: false },
    );
    expect(lines.join("")).toMatch(/^[ -~]+$/);
  });

  it("fits a screen of 80 columns", () => {
    const lines = statusText(STATUS, { width: 80, colours: false });
    expect(lines).toEqual([
      "Status at 2026-11-26 22:30:00Z",
      "",
      "PROCESS           STATE                  STARTED               VERSION",
      "00112233aabbccdd  ready                  2026-11-26 20:30:00Z  1.0.0",
      "99887766aabbccdd  unknown, seen 14s ago  -                     -",
      "",
      "Last minute: 1234 accepted, 12 repeated, 3 rejected",
      "Deliveries: 42 pending, the oldest for 1h 2m; 7 exhausted",
      "",
      expect.stringMatching(/^DESTINATION +STATE +PENDING +OLDEST +EXHAUSTED$/),
      expect.stringMatching(
        /^billing +breaker open, probe in.* +42 +1h 2m +7$/,
      ),
      expect.stringMatching(/^ci +paused by anna 1h ago +0 +- +0$/),
      expect.stringMatching(/^x+\.\.\. +ok +0 +- +0$/),
      "",
      "SOURCE          SCHEME  SECRET    AGE                LAST USED",
      "hex             hex     1a2b3c4d  92 days, overdue   3s ago",
      "hex             hex     5e6f7a8b  previous, 1h left  never",
      "old (disabled)  token   -         -                  never",
      "",
      "SINK     STATE             LAG",
      "stdout   ok                  0",
      "file     degraded for 3m  1203",
      "anchors  unknown             -",
    ]);
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(
      80,
    );
  });

  it("says that nothing is known without a service", () => {
    const nothing = {
      ...STATUS,
      processes: [],
      lastMinute: null,
      pending: 0,
      oldestPendingSince: null,
      exhausted: 0,
      destinations: [],
      sources: [],
      sinks: [],
    };
    expect(statusText(nothing, { width: 80, colours: false })).toEqual([
      "Status at 2026-11-26 22:30:00Z",
      "",
      "No service has published its state in this store yet.",
      "",
      "Last minute: unknown",
      "Deliveries: 0 pending; 0 exhausted",
    ]);
  });

  it("has colours for what is bad, and escapes names", () => {
    const text = statusText(
      {
        ...STATUS,
        destinations: [destination("a\u001b[2J", { exhausted: 1 })],
      },
      { width: 80, colours: true },
    ).join("\n");
    expect(text).toContain("\u001b[32mready\u001b[0m");
    expect(text).toContain("\u001b[31m92 days, overdue\u001b[0m");
    expect(text).toContain("a\\u001b[2J");
    expect(text).not.toContain("\u001b[2J");
  });
});

it("marks a count at which the store stops counting", () => {
  expect([9999, 10_000].map(countText)).toEqual(["9999", "10000+"]);
});

it("shows a secret without a date", () => {
  const source = { name: "hex", scheme: "hex", isDisabled: false };
  const secrets = [secret("1a2b3c4d", { age: "unknown" })];
  const lines = statusText(
    { ...STATUS, sources: [{ ...source, lastUsedAt: null, secrets }] },
    { width: 80, colours: false },
  );
  expect(lines).toContainEqual(
    expect.stringMatching(/^hex +hex +1a2b3c4d +no date +never$/),
  );
});

describe("the state of a destination", () => {
  it.each([
    ["not configured", true, { isConfigured: false, breaker: null }],
    ["paused by anna 1h ago", true, pausedBy("anna", null)],
    ["paused by system, 5s left", true, pausedBy("system", AT + 5000)],
    [
      "breaker open, probe in 3s",
      true,
      { breaker: { ...CLOSED, state: "open", probeAt: AT + 3000 } },
    ],
    [
      "breaker half-open, probing",
      true,
      { breaker: { ...CLOSED, state: "half-open", probeAt: AT }, inFlight: 1 },
    ],
    [
      "breaker half-open, no due delivery",
      true,
      { breaker: { ...CLOSED, state: "half-open", probeAt: AT }, inFlight: 0 },
    ],
    ["rate limit reached", false, { rateLimitedUntil: AT + 1 }],
    ["ok", false, { rateLimitedUntil: AT }],
    [
      "unknown",
      false,
      { breaker: { state: "unknown", failures: null, probeAt: null } },
    ],
  ] as const)("is %s", (text, isBlocked, facts) => {
    expect(destinationState(destination("d", facts), AT)).toEqual({
      text,
      isBlocked,
    });
  });

  it("is listed with its place and its deliveries", () => {
    const [billing] = STATUS.destinations;
    expect(destinationText(billing!, AT, 80))
      .toBe(`billing http https://billing.example
  breaker open, probe in 12s
  42 pending, the oldest for 1h 2m; 7 exhausted; 0 in flight`);
    const unknown = destination("d", {
      kind: null,
      place: null,
      inFlight: null,
    });
    expect(destinationText(unknown, AT, 80)).toContain(
      "0 exhausted; unknown number in flight",
    );
  });
});

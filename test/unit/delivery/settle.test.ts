import type {
  AttemptResult,
  DeliveryState,
} from "../../../src/domain/delivery.ts";
import { describe, expect, it } from "@jest/globals";
import { parseRetryAfter } from "../../../src/domain/retry-after.ts";
import { settle } from "../../../src/delivery/settle.ts";

const SECOND = 1000;
const HOUR = 3_600_000;

describe("a delivery after an attempt", () => {
  const now = 1_000_000;
  const failed: Extract<AttemptResult, { ok: false }> = {
    ok: false,
    reason: "status",
    status: 503,
  };
  const asking = (retryAfterMs: number): typeof failed => ({
    ...failed,
    retryAfterMs,
  });
  const in_ = (wait: number): DeliveryState => ({
    state: "pending",
    dueAt: now + wait,
  });

  it.each<[string, number, AttemptResult, DeliveryState]>([
    ["that succeeded", 1, { ok: true, status: 204 }, { state: "succeeded" }],
    [
      "that succeeded at the last attempt",
      4,
      { ok: true },
      { state: "succeeded" },
    ],
    ["that failed", 1, failed, in_(10 * SECOND)],
    ["that failed again", 2, failed, in_(60 * SECOND)],
    ["that failed at the last attempt", 4, failed, { state: "exhausted" }],
    ["that is gone", 1, { ...failed, gone: true }, { state: "exhausted" }],
    [
      "that is gone and has a Retry-After",
      1,
      { ...asking(SECOND), gone: true },
      { state: "exhausted" },
    ],
    ["that asked to wait less than scheduled", 2, asking(0), in_(60 * SECOND)],
    [
      "that asked to wait more than scheduled",
      1,
      asking(45 * SECOND),
      in_(45 * SECOND),
    ],
    ["that asked to wait an hour", 1, asking(HOUR), in_(HOUR)],
    ["that asked to wait more than an hour", 1, asking(HOUR + 1), in_(HOUR)],
    [
      "that asked to wait forever",
      1,
      asking(Number.MAX_SAFE_INTEGER),
      in_(HOUR),
    ],
    [
      "that asked to wait, but is scheduled later",
      3,
      asking(HOUR),
      in_(2 * HOUR),
    ],
    [
      "that asked to wait after the last attempt",
      4,
      asking(1),
      { state: "exhausted" },
    ],
    [
      "that asked to wait without a status",
      1,
      { ok: false, reason: "network", retryAfterMs: 20 * SECOND },
      in_(20 * SECOND),
    ],
  ])(
    "%s (attempt %d, %j) becomes %j",
    (_what, scheduledAttempt, result, state) => {
      const scheduleMs = [10 * SECOND, 60 * SECOND, 2 * HOUR];
      expect(
        settle({ scheduledAttempt, result, scheduleMs, now, random: 0.5 }),
      ).toEqual(state);
    },
  );

  it("keeps its jitter when Retry-After is shorter than the wait", () => {
    const base = { scheduledAttempt: 1, scheduleMs: [10 * SECOND], now };
    const result = asking(10 * SECOND);
    expect(settle({ ...base, result, random: 0 })).toEqual(in_(10 * SECOND));
    expect(settle({ ...base, result, random: 1 - Number.EPSILON })).toEqual(
      in_(12 * SECOND),
    );
  });
});

describe("Retry-After", () => {
  const now = Date.UTC(2026, 10, 23, 18, 0, 0);

  it.each<[string | undefined, number | null]>([
    [undefined, null],
    ["", null],
    ["0", 0],
    ["120", 120 * SECOND],
    ["00120", 120 * SECOND],
    ["9".repeat(400), Number.MAX_SAFE_INTEGER],
    ["-1", null],
    ["+1", null],
    ["1.5", null],
    ["1e3", null],
    ["0x10", null],
    ["１２", null],
    ["1, 2", null],
    ["soon", null],
    ["2026-11-23T18:00:10Z", null],
    // IMF-fixdate
    ["Mon, 23 Nov 2026 18:00:10 GMT", 10 * SECOND],
    ["Mon, 23 Nov 2026 17:59:59 GMT", 0],
    ["Sun, 06 Nov 1994 08:49:37 GMT", 0],
    ["Fri, 23 Nov 2026 18:00:10 GMT", 10 * SECOND],
    ["Mon, 23 Nov 2026 18:00:60 GMT", 60 * SECOND],
    ["Mon, 23 Nov 2026 18:00:61 GMT", null],
    ["Mon, 23 Nov 2026 24:00:00 GMT", null],
    ["Mon, 23 Nov 2026 18:60:00 GMT", null],
    ["Mon, 30 Feb 2027 18:00:00 GMT", null],
    ["Mon, 00 Nov 2026 18:00:00 GMT", null],
    ["Mon, 23 Nox 2026 18:00:10 GMT", null],
    ["Mon, 23 Nov 2026 18:00:10 UTC", null],
    ["Mon, 23 Nov 2026 18:00:10 +0000", null],
    ["Mon, 23 Nov 2026 18:00:10", null],
    ["Mon, 3 Nov 2026 18:00:10 GMT", null],
    ["mon, 23 nov 2026 18:00:10 gmt", null],
    // RFC 850
    ["Monday, 23-Nov-26 18:00:10 GMT", 10 * SECOND],
    ["Sunday, 06-Nov-94 08:49:37 GMT", 0],
    ["Monday, 23-Nov-76 18:00:00 GMT", Date.UTC(2076, 10, 23, 18, 0, 0) - now],
    ["Tuesday, 23-Nov-77 18:00:00 GMT", 0],
    ["Monday, 23-Nov-2026 18:00:10 GMT", null],
    // asctime
    ["Mon Nov 23 18:00:10 2026", 10 * SECOND],
    ["Sun Nov  6 08:49:37 1994", 0],
    ["Tue Dec  1 18:00:00 2026", 8 * 24 * HOUR],
    ["Tue Dec 1 18:00:00 2026", null],
  ])("of %j means a wait of %j ms", (value, wait) => {
    expect(parseRetryAfter(value, now)).toBe(wait);
  });

  it("with a two-digit year means the nearest year, across the end of a century too", () => {
    const late = Date.UTC(2095, 0, 1);
    expect(parseRetryAfter("Saturday, 01-Jan-05 00:00:00 GMT", late)).toBe(
      Date.UTC(2105, 0, 1) - late,
    );
  });
});

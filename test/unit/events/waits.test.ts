import { describe, expect, it } from "@jest/globals";
import type { DeliveryStatus } from "../../../src/domain/delivery.ts";
import { type HeldBack, waitOf } from "../../../src/events/waits.ts";
import type { PausedDestination } from "../../../src/store/records.ts";

const NOW = 10_000;

const due: DeliveryStatus = {
  id: 1,
  destination: "d",
  state: "pending",
  attempt: 1,
  inFlight: false,
  nextAttemptAt: NOW,
};

const free: HeldBack = {
  configured: new Set(["d"]),
  paused: new Map(),
  breakerOpen: new Set(),
  rateLimited: new Set(),
};

const d = new Set(["d"]);

const pause: PausedDestination = {
  name: "d",
  pausedAt: NOW,
  pausedBy: "alice",
  pausedUntil: null,
};
const paused = new Map([["d", pause]]);

describe("the reason why a delivery waits", () => {
  it.each<[string | null, Partial<DeliveryStatus>, Partial<HeldBack>]>([
    ["due", {}, {}],
    ["due", {}, { configured: null }],
    [null, { state: "succeeded" }, { paused }],
    [null, { state: "exhausted" }, {}],
    [null, { state: "discarded" }, { configured: new Set() }],
    ["in_flight", { inFlight: true, nextAttemptAt: null }, { paused }],
    ["destination_gone", {}, { configured: new Set(["e"]), paused }],
    ["paused", { nextAttemptAt: null }, { paused }],
    ["order", { nextAttemptAt: null }, { breakerOpen: d }],
    ["retry", { nextAttemptAt: NOW + 1 }, { breakerOpen: d }],
    ["breaker_open", {}, { breakerOpen: d, rateLimited: d }],
    ["rate_limit", {}, { rateLimited: d, breakerOpen: new Set(["e"]) }],
  ])("is %s for %j, %j", (reason, delivery, heldBack) => {
    expect(
      waitOf({ ...due, ...delivery }, { ...free, ...heldBack }, NOW)?.reason ??
        null,
    ).toBe(reason);
  });

  it("includes the pause only if the delivery waits for it", () => {
    const heldBack = { ...free, paused };
    expect(waitOf(due, heldBack, NOW)).toEqual({ reason: "paused", pause });
    expect(waitOf({ ...due, inFlight: true }, heldBack, NOW)).toEqual({
      reason: "in_flight",
    });
  });
});

import { describe, expect, it } from "@jest/globals";
import type { DeliveryStatus } from "../../../src/domain/delivery.ts";
import { type HeldBack, waitReason } from "../../../src/events/waits.ts";

const NOW = 10_000;

const due: DeliveryStatus = {
  id: 1,
  destination: "d",
  state: "pending",
  attempt: 1,
  underWay: false,
  nextAttemptAt: NOW,
};

const free: HeldBack = {
  configured: new Set(["d"]),
  paused: new Set(),
  breakerOpen: new Set(),
  rateLimited: new Set(),
};

const d = new Set(["d"]);

describe("the reason why a delivery waits", () => {
  it.each<[string | null, Partial<DeliveryStatus>, Partial<HeldBack>]>([
    ["due", {}, {}],
    ["due", {}, { configured: null }],
    [null, { state: "succeeded" }, { paused: d }],
    [null, { state: "exhausted" }, {}],
    [null, { state: "discarded" }, { configured: new Set() }],
    ["in_flight", { underWay: true, nextAttemptAt: null }, { paused: d }],
    ["destination_gone", {}, { configured: new Set(["e"]), paused: d }],
    ["paused", { nextAttemptAt: null }, { paused: d }],
    ["order", { nextAttemptAt: null }, { breakerOpen: d }],
    ["retry", { nextAttemptAt: NOW + 1 }, { breakerOpen: d }],
    ["breaker_open", {}, { breakerOpen: d, rateLimited: d }],
    ["rate_limit", {}, { rateLimited: d, breakerOpen: new Set(["e"]) }],
  ])("is %s for %j, %j", (reason, delivery, heldBack) => {
    expect(
      waitReason({ ...due, ...delivery }, { ...free, ...heldBack }, NOW),
    ).toBe(reason);
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { createRecentRequests } from "../../../src/status/recent-requests.ts";
import type { RequestOutcome } from "../../../src/telemetry/measurement.ts";

describe("the requests of the last minute", () => {
  let now: number;
  let recent: ReturnType<typeof createRecentRequests>;

  beforeEach(() => {
    now = 1_234_567;
    recent = createRecentRequests({ monotonic: () => now });
  });

  const respond = (outcome: RequestOutcome): void => {
    recent.subscriber({
      type: "request.responded",
      source: "hex",
      outcome,
      durationMs: 1,
    });
  };

  it("are counted by outcome, without handshakes and other happenings", () => {
    respond("accepted");
    respond("duplicate");
    respond("replayed");
    respond("unauthorized");
    respond("event_id_conflict");
    respond("unavailable");
    respond("handshake");
    recent.subscriber({ type: "destinations.none" });
    expect(recent.lastMinute()).toEqual({
      accepted: 1,
      repeated: 2,
      rejected: 3,
    });
  });

  it("are forgotten a minute later, to the second", () => {
    respond("accepted");
    now += 30_000;
    respond("accepted");
    expect(recent.lastMinute().accepted).toBe(2);
    now += 29_000;
    expect(recent.lastMinute().accepted).toBe(2);
    now += 1000;
    expect(recent.lastMinute().accepted).toBe(1);
    now += 3_600_000;
    respond("accepted");
    expect(recent.lastMinute().accepted).toBe(1);
  });
});

import { describe, expect, it } from "@jest/globals";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { SinkError } from "../../../../src/audit/sinks/sink.ts";
import { createSinkHealth } from "../../../../src/audit/sinks/sink-health.ts";

describe("the health of a sink", () => {
  it("is reported each time the sink fails, and later if the last report was too recent", () => {
    let now = 1_000_000;
    const reported: AuditDraft[] = [];
    const health = createSinkHealth("stdout", {
      report: (draft) => reported.push(draft),
      now: () => now,
      monotonic: () => now,
    });
    const fail = (kind: SinkError["kind"], retryAfterMs = 0): void => {
      const failure = new SinkError("stuck", { kind, retryAfterMs });
      health.failed(failure, { position: 7, since: now - 10_000 });
    };
    const actions = (): string[] =>
      reported
        .splice(0)
        .map(({ action }) => action.slice("audit.sink_".length));
    fail("temporary");
    expect(actions()).toEqual([]);
    health.worked(8);
    fail("blocked");
    now += 5000;
    health.worked(9);
    expect(actions()).toEqual(["degraded", "recovered"]);
    fail("blocked");
    now += 10_000;
    health.remind();
    expect(actions()).toEqual([]);
    now += 50_000;
    health.remind();
    health.remind();
    expect(actions()).toEqual(["degraded"]);
    expect(health.degradedSince()).toBe(995_000);
    health.worked(10);
    expect(health.degradedSince()).toBeNull();
    // A failure with a long retry wait is reported at once.
    now += 60_000;
    fail("temporary", 3_600_000);
    health.worked(11);
    expect(actions()).toEqual(["recovered", "degraded", "recovered"]);
    // A final failure is reported at once.
    fail("final");
    expect(actions()).toEqual(["degraded"]);
  });
});

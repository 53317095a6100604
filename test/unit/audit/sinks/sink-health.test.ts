import { describe, expect, it } from "@jest/globals";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { SinkError } from "../../../../src/audit/sinks/sink.ts";
import { createSinkHealth } from "../../../../src/audit/sinks/sink-health.ts";

describe("what is told of a sink", () => {
  it("is each time that it fails, also when it comes too soon to be told at once", () => {
    let now = 1_000_000;
    const told: AuditDraft[] = [];
    const health = createSinkHealth("stdout", {
      report: (draft) => told.push(draft),
      now: () => now,
      monotonic: () => now,
    });
    const fail = (kind: SinkError["kind"], retryAfterMs = 0): void => {
      const fault = new SinkError("stuck", { kind, retryAfterMs });
      health.failed(fault, { position: 7, since: now - 10_000 });
    };
    const actions = (): string[] =>
      told.splice(0).map(({ action }) => action.slice("audit.sink_".length));
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
    // What asks to be left alone for long takes nothing meanwhile.
    now += 60_000;
    fail("temporary", 3_600_000);
    health.worked(11);
    expect(actions()).toEqual(["recovered", "degraded", "recovered"]);
    // What never works again is told of at once.
    fail("final");
    expect(actions()).toEqual(["degraded"]);
  });
});

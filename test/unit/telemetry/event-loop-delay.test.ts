import { describe, expect, it } from "@jest/globals";
import { cleanUp } from "../../support/cleanup.ts";
import { eventually } from "../../support/eventually.ts";
import { createEventLoopDelay } from "../../../src/telemetry/metrics/event-loop-delay.ts";

describe("the delay of the event loop", () => {
  it("is as long as the loop was blocked, and reading it does not change it", async () => {
    const delay = createEventLoopDelay();
    delay.start();
    cleanUp(delay.stop);
    await eventually(() => {
      const until = performance.now() + 60;
      while (performance.now() < until) {
        // Blocks the event loop.
      }
      return delay.p99() > 0.03;
    });
    expect(delay.p99()).toBeGreaterThan(0.03);
  });
});

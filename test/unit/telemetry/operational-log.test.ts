import { describe, expect, it } from "@jest/globals";
import { Writable } from "node:stream";
import type { Happening } from "../../../src/telemetry/happening.ts";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { operationalLog } from "../../../src/telemetry/operational-log.ts";
import { Sink } from "../../support/service.ts";

const FAILED = {
  source: "hex",
  eventId: "evt_1",
  eventType: "a",
  attempt: 3,
  failure: {
    reason: "status",
    status: 500,
    detail: "\u001b[31mred",
  },
};

describe("the operational log", () => {
  it("writes no line for a measurement", () => {
    const sink = new Sink();
    const log = operationalLog(createLogger("debug", sink));
    log({
      type: "request.responded",
      source: "hex",
      outcome: "accepted",
      durationMs: 1,
    });
    log({
      type: "attempt.ended",
      destination: "d",
      result: "failed",
      durationMs: 1,
    });
    log({ type: "store.committed", records: 1, durationMs: 1, entries: [] });
    log({ type: "audit.suppressed", count: 1 });
    expect(sink.text).toBe("");
  });

  it("writes one escaped line for an exhausted delivery", () => {
    const sink = new Sink();
    operationalLog(createLogger("info", sink))({
      type: "delivery.exhausted",
      ...FAILED,
      destination: "d",
    });
    expect(sink.text).not.toContain("\u001b");
    expect(JSON.parse(sink.text)).toEqual({
      level: "warn",
      time: expect.any(String),
      source: "hex",
      eventId: "evt_1",
      eventType: "a",
      destination: "d",
      attempt: 3,
      reason: "status",
      status: 500,
      detail: "\u001b[31mred",
      msg: "delivery exhausted",
    });
  });

  it("warns when deliveries are held back, and reports when that ends", () => {
    const sink = new Sink();
    const log = operationalLog(createLogger("info", sink));
    const destination = "d";
    const until = "2027-01-15T08:00:05.000Z";
    log({ type: "destination.paused", destination, by: "system", until });
    log({ type: "destination.resumed", destination });
    log({ type: "breaker.opened", destination, last: null });
    log({ type: "breaker.closed", destination });
    const lines = sink.text.trim().split("\n");
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      {
        level: "warn",
        msg: "destination paused",
        destination,
        by: "system",
        until,
      },
      { level: "info", msg: "destination resumed", destination },
      { level: "warn", msg: "circuit breaker opened", destination },
      { level: "info", msg: "circuit breaker closed", destination },
    ]);
  });

  it.each([
    "delivery.exhausted",
    "handler.failed",
    "handler.late_error",
  ] as const)(
    "writes at most 60 lines a minute of %s for each destination, and the number of the rest",
    (type) => {
      const sink = new Sink();
      const log = operationalLog(createLogger("info", sink));
      const error = { type: "Error", message: "m" };
      for (let n = 0; n < 1000; n += 1) {
        const attempt = { ...FAILED, destination: n % 10 === 0 ? "a" : "b" };
        log({
          type,
          ...attempt,
          kind: "uncaught exception",
          isCertain: true,
          attempts: [attempt],
          error,
        } as Happening);
      }
      log({ type: "service.stopped" });
      const lines = sink.text
        .split("\n")
        .slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const count = (destination: string): number =>
        lines.filter((line) => line["destination"] === destination).length;
      expect([count("a"), count("b")]).toEqual([61, 61]);
      expect(lines.slice(-3)).toMatchObject([
        { msg: "further lines not logged", type, destination: "a", count: 40 },
        { msg: "further lines not logged", type, destination: "b", count: 840 },
        { msg: "service stopped" },
      ]);
    },
  );

  it("writes at most 60 lines a minute of failed work, and the number of the rest", () => {
    const sink = new Sink();
    const log = operationalLog(createLogger("info", sink));
    for (let n = 0; n < 1000; n += 1) {
      log({ type: "work.failed", error: new Error("no connection") });
    }
    log({ type: "service.stopped" });
    const lines = sink.text
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.length).toBe(62);
    expect(lines.slice(-3)).toMatchObject([
      { msg: "background work failed", error: "no connection" },
      { msg: "further lines not logged", type: "work.failed", count: 940 },
      { msg: "service stopped" },
    ]);
  });

  it("reports how many lines were dropped while stderr was not read", () => {
    const written: string[] = [];
    let resume = (): void => undefined;
    const stderr = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        written.push(chunk.toString());
        resume = callback;
      },
    });
    const logger = createLogger("info", stderr);
    for (let n = 0; n < 1000; n += 1) {
      logger.info({ text: "x".repeat(8000) }, "long");
    }
    for (let before = -1; before < written.length;) {
      before = written.length;
      resume();
    }
    const taken = written.length;
    expect(taken).toBeLessThan(200);
    logger.info({}, "read again");
    resume();
    expect(
      written.slice(taken).map((line) => JSON.parse(line) as object),
    ).toMatchObject([
      {
        level: "error",
        lines: 1000 - taken,
        msg: "log lines dropped: stderr was not read",
      },
      { msg: "read again" },
    ]);
  });
});

import { describe, expect, it } from "@jest/globals";
import { createLogger } from "../../../src/telemetry/logger.ts";
import { type Display, PLAIN_DISPLAY } from "../../../src/terminal/display.ts";
import { Sink } from "../../support/service.ts";

/** What a logger writes, without the times. */
function logged(
  log: (logger: ReturnType<typeof createLogger>) => void,
  display: Partial<Display> = {},
): string {
  const stderr = new Sink();
  log(
    createLogger("trace", stderr, {
      format: "pretty",
      display: { ...PLAIN_DISPLAY, width: () => 100, ...display },
    }),
  );
  return stderr.text.replaceAll(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ /gm, "TIME ");
}

describe("a log line for a person", () => {
  it("has the time, the level, the message and the fields", () => {
    const text = logged((logger) => {
      logger.info({}, "stopped");
      logger.warn(
        { destination: "billing", pending: 3, until: null, api: true },
        "destination paused",
      );
      logger.fatal({}, "store failed");
    });
    expect(text).toBe(
      [
        "TIME info  stopped",
        "TIME warn  destination paused destination=billing pending=3 until=null api=true",
        "TIME fatal store failed",
        "",
      ].join("\n"),
    );
  });

  it("quotes a value that could be taken for other fields", () => {
    const text = logged((logger) => {
      logger.info(
        { a: "x admin=true", b: "", c: 'say "hi"', d: ["x", "y"], e: ["p q"] },
        "m",
      );
    });
    expect(text).toBe(
      'TIME info  m a="x admin=true" b="" c="say \\"hi\\"" d=x,y e=["p q"]\n',
    );
  });

  it("names the members of nested fields", () => {
    const text = logged((logger) => {
      logger.info(
        { rejected: { overLimit: 2, by: { ip: "::1" } }, no: {} },
        "m",
      );
    });
    expect(text).toBe(
      "TIME info  m rejected.overLimit=2 rejected.by.ip=::1 no={}\n",
    );
  });

  it("wraps at the width of the terminal, and keeps a long value whole", () => {
    const id = "i".repeat(90);
    const text = logged(
      (logger) => {
        logger.info({ source: "hex", eventId: id, attempt: 3 }, "message");
      },
      { width: () => 40 },
    );
    expect(text).toBe(
      [
        "TIME info  message",
        "    source=hex",
        `    eventId=${id}`,
        "    attempt=3",
        "",
      ].join("\n"),
    );
  });

  it("shows an error with its stack, its cause and the errors in it", () => {
    const error = new AggregateError(
      [new RangeError("inner")],
      "outer\nsecond line",
      { cause: new TypeError("reason") },
    );
    error.stack = "AggregateError: outer\nsecond line\n    at f (a.js:1:2)";
    (error.cause as Error).stack = "TypeError: reason\n    at g (b.js:3:4)";
    (error.errors[0] as Error).stack = "RangeError: inner";
    const text = logged((logger) => {
      logger.error({ destination: "ci", err: error }, "handler threw");
    });
    expect(text).toBe(
      [
        "TIME error handler threw destination=ci",
        "    AggregateError: outer",
        "        second line",
        "        at f (a.js:1:2)",
        "        caused by TypeError: reason",
        "            at g (b.js:3:4)",
        "        RangeError: inner",
        "",
      ].join("\n"),
    );
  });

  it("names the field of an error outside of err, and shows the code of the error", () => {
    const error = Object.assign(new Error("refused"), { code: "ECONNREFUSED" });
    error.stack = "Error: refused";
    const text = logged((logger) => {
      logger.error({ failure: error }, "m");
    });
    expect(text).toBe(
      "TIME error m\n    failure: Error: refused code=ECONNREFUSED\n",
    );
  });

  it.each([
    ["error", "\u001b[31merror\u001b[0m"],
    ["warn", "\u001b[33mwarn\u001b[0m "],
    ["info", "\u001b[32minfo\u001b[0m "],
  ] as const)("colours the level %s only on request", (level, shown) => {
    const log = (logger: ReturnType<typeof createLogger>): void => {
      logger[level]({}, "m");
    };
    expect(logged(log, { colours: true })).toBe(`TIME ${shown} m\n`);
    expect(logged(log)).toBe(`TIME ${level.padEnd(5)} m\n`);
  });

  it("escapes control characters in every part", () => {
    const evil = "\u001b[2J\u0007\r\u202e\u009b";
    const error = new Error(evil);
    error.name = evil;
    error.stack = `${evil}\n${evil}`;
    const text = logged((logger) => {
      logger.error(
        { [evil]: evil, deep: { [evil]: [evil] }, err: error },
        evil,
      );
    });
    expect(text).toMatch(/^[\n\x20-\x7e]+$/);
    expect(text).toContain("\\u001b[2J");
    expect(text.split("\n")).toHaveLength(6);
  });

  it("keeps a field that is called msg and is no text", () => {
    const text = logged((logger) => {
      logger.info({ msg: { code: 5 }, a: 1 });
    });
    expect(text).toBe("TIME info  msg.code=5 a=1\n");
  });

  it("shows fields named level and time as fields", () => {
    const text = logged((logger) => {
      logger.info({ level: "fatal", time: "never" }, "m");
    });
    expect(text).toBe("TIME info  m level=fatal time=never\n");
  });

  it.each([
    ["many short lines in a stack", "a\n".repeat(10_000)],
    ["control characters", "\u001b".repeat(10_000)],
    ["non-ASCII letters", "漢".repeat(10_000)],
  ])("is at most 16 KiB long: %s", (_what, long) => {
    const error = new Error(long, { cause: new Error(long) });
    error.stack = `Error: ${long}`;
    const text = logged((logger) => {
      logger.error({ err: error, one: long, two: long }, long);
    });
    expect(Buffer.byteLength(text)).toBeLessThanOrEqual(16_384);
    expect(text).toMatch(/^TIME error\s/);
  });
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { createHandlerLogger } from "../../../../src/delivery/handler/handler-logger.ts";
import type { HandlerLogger } from "../../../../src/domain/handler.ts";
import { createLogger } from "../../../../src/telemetry/logger.ts";
import { Sink } from "../../../support/service.ts";

const FACTS = {
  source: "hex",
  eventId: "evt_1",
  eventType: "a",
  destination: "d",
  attempt: 1,
};

describe("the logger of a handler", () => {
  let sink: Sink;
  let logger: HandlerLogger;

  beforeEach(() => {
    sink = new Sink();
    logger = createHandlerLogger(createLogger("debug", sink), FACTS);
  });

  /** Returns the line that was written, without its time. Fails if a name is a duplicate. */
  function written(): Record<string, unknown> {
    const lines = sink.text.split("\n");
    expect(lines).toHaveLength(2);
    const line = lines[0]!;
    const flat = line.replace(/"fields":\{[^}]*\}/, "");
    const { time, ...members } = JSON.parse(line) as Record<string, unknown>;
    for (const name of ["time", ...Object.keys(members)]) {
      expect([name, flat.split(`"${name}":`).length]).toEqual([
        name,
        name === "fields" ? 1 : 2,
      ]);
    }
    expect(time).toEqual(expect.any(String));
    return members;
  }

  it("writes the attempt and the handler's fields", () => {
    logger.info({ bytes: 3 }, "noted");
    expect(written()).toEqual({
      level: "info",
      ...FACTS,
      bytes: 3,
      msg: "noted",
    });
  });

  it("keeps its own members, and moves fields with the same names into `fields`", () => {
    logger.warn(
      {
        source: "other",
        level: 60,
        time: 0,
        msg: "x",
        eventId: "evt_2",
        own: 1,
      },
      "noted",
    );
    const line = sink.text;
    expect(line.match(/"(?:source|level|msg|eventId)":/g)).toHaveLength(8);
    expect(JSON.parse(line)).toMatchObject({
      level: "warn",
      ...FACTS,
      own: 1,
      fields: {
        source: "other",
        level: 60,
        time: 0,
        msg: "x",
        eventId: "evt_2",
      },
      msg: "noted",
    });
    // No object has a duplicate name, so parsing loses nothing.
    const top = line.slice(0, line.indexOf('"fields"'));
    expect(top.match(/"source":/g)).toHaveLength(1);
  });

  it("omits a field that repeats a fact of the attempt", () => {
    logger.info({ attempt: 1, source: "hex" }, "noted");
    expect(written()).toEqual({ level: "info", ...FACTS, msg: "noted" });
  });

  it("has child loggers, which write no duplicate fields either", () => {
    logger
      .child({ a: 1, source: "x" })
      .child({ a: 2, b: 3 })
      .error({ b: 4 }, "noted");
    expect(written()).toEqual({
      level: "error",
      ...FACTS,
      a: 2,
      b: 4,
      fields: { source: "x" },
      msg: "noted",
    });
  });

  it("accepts a message alone, values for its placeholders, and an error", () => {
    logger.info("only %s and %d", "text", 5);
    expect(written()).toEqual({
      level: "info",
      ...FACTS,
      msg: "only text and 5",
    });
    sink.text = "";
    logger.error(new TypeError("wrong"));
    expect(written()).toMatchObject({
      ...FACTS,
      err: { type: "TypeError", message: "wrong" },
      msg: "wrong",
    });
    sink.text = "";
    logger.error({ err: new TypeError("wrong") }, "because");
    expect(written()).toMatchObject({
      err: { message: "wrong" },
      msg: "because",
    });
  });

  it.each([
    ["a long text", { a: "x".repeat(1_000_000) }, "y".repeat(1_000_000)],
    [
      "control characters",
      { a: "\u001b[31m\u2028".repeat(10_000) },
      "\u001b".repeat(10_000),
    ],
    ["a request's members", { method: "a", headers: {}, socket: {} }, "noted"],
    ["nothing", undefined, undefined],
    ["a number", 5, undefined],
    ["a symbol", Symbol("s"), Symbol("t")],
    [
      "a hostile message",
      {},
      {
        toString: () => {
          throw new Error("no");
        },
      },
    ],
  ])(
    "writes one line of at most 16 KiB and never throws: %s",
    (_what, fields, message) => {
      (logger.info as (...args: unknown[]) => void)(fields, message);
      expect(sink.text.length).toBeLessThan(16_384);
      expect(sink.text).toMatch(/^[\x20-\x7e]+\n$/);
      expect(JSON.parse(sink.text)).toMatchObject(FACTS);
    },
  );

  it("runs no code of the handler for a disabled level", () => {
    let isRead = false;
    logger.trace({
      get a() {
        isRead = true;
        return 1;
      },
    });
    expect([sink.text, isRead]).toEqual(["", false]);
  });
});

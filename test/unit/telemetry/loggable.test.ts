import { describe, expect, it } from "@jest/globals";
import {
  boundedFields,
  describeError,
} from "../../../src/telemetry/loggable.ts";

const throws = (): never => {
  throw new Error("no");
};

/** A proxy that throws at every use. */
const hostile = new Proxy(
  {},
  {
    get: throws,
    has: throws,
    ownKeys: throws,
    getPrototypeOf: throws,
    getOwnPropertyDescriptor: throws,
  },
);

function revoked(): object {
  const { proxy, revoke } = Proxy.revocable([], {});
  revoke();
  return proxy;
}

describe("the fields of a line", () => {
  const circular: Record<string, unknown> = { name: "c" };
  circular["self"] = circular;

  it.each([
    [
      "plain data",
      { a: 1, b: [true, null, "x"] },
      { a: 1, b: [true, null, "x"] },
    ],
    [
      "a circular object",
      { circular },
      { circular: { name: "c", self: "[circular]" } },
    ],
    ["a BigInt", { n: 2n ** 70n }, { n: "1180591620717411303424" }],
    [
      "numbers that JSON lacks",
      { a: Number.NaN, b: -Infinity },
      { a: "NaN", b: "-Infinity" },
    ],
    [
      "functions and symbols",
      { f: () => 1, s: Symbol("s") },
      { f: "[function]", s: "Symbol(s)" },
    ],
    [
      "a getter that throws",
      {
        get a() {
          return throws();
        },
        b: 1,
      },
      { a: "[unreadable]", b: 1 },
    ],
    ["a toJSON that throws", { a: { toJSON: throws } }, { a: "[unreadable]" }],
    ["a toJSON", { a: { toJSON: () => ({ b: 1 }) } }, { a: { b: 1 } }],
    ["a Date", { at: new Date(0) }, { at: "1970-01-01T00:00:00.000Z" }],
    ["bytes", { body: Buffer.from("private") }, { body: "[7 bytes]" }],
    ["a proxy whose traps throw", { a: hostile }, { a: "[unreadable]" }],
    ["a revoked proxy", { a: revoked() }, { a: "[unreadable]" }],
    ["a hostile proxy instead of fields", hostile, { fields: "[unreadable]" }],
    ["a text instead of fields", "text", { value: "text" }],
  ])("are plain data: %s", (_what, fields, expected) => {
    expect(boundedFields(fields)).toEqual(expected);
  });

  it("may be named __proto__", () => {
    const fields = JSON.parse('{"__proto__":{"a":1},"b":2}') as object;
    expect(JSON.stringify(boundedFields(fields))).toBe(
      '{"__proto__":{"a":1},"b":2}',
    );
  });

  const nested = Array.from({ length: 10_000 }).reduce<object>(
    (inner) => ({ in: inner }),
    {},
  );
  it.each([
    ["a long text", { a: "x".repeat(1_000_000), b: 1 }],
    [
      "a long text that is escaped",
      { a: "\u0001é\ud83d\ude00".repeat(300_000) },
    ],
    [
      "long names",
      Object.fromEntries(
        Array.from({ length: 90 }, (_, n) => [`${"n".repeat(10_000)}${n}`, n]),
      ),
    ],
    [
      "many members",
      Object.fromEntries(
        Array.from({ length: 100_000 }, (_, n) => [`n${n}`, n]),
      ),
    ],
    [
      "many items",
      { a: Array.from({ length: 100_000 }, () => -1.234_567_890_123e-300) },
    ],
    ["many levels", nested],
    [
      "wide levels",
      Array.from({ length: 99 }, () =>
        Array.from({ length: 99 }, () => [[circular]]),
      ),
    ],
    [
      "a long error",
      {
        err: new Error("m".repeat(100_000), {
          cause: new AggregateError(
            [1, 2, 3, 4].map((n) => new Error("y".repeat(10_000 + n))),
          ),
        }),
      },
    ],
  ])("take at most 14,500 characters: %s", (_what, fields) => {
    const json = JSON.stringify(boundedFields(fields)).replaceAll(
      /[^\x20-\x7e]/g,
      "\\u0000",
    );
    expect(json.length).toBeLessThan(14_500);
    // A value that was shortened is marked as such.
    expect(json).toMatch(/\\u0000|\[object\]|\[circular\]/);
  });
});

describe("a described error", () => {
  it.each([
    [undefined, { type: "undefined", message: "undefined" }],
    [null, { type: "null", message: "null" }],
    ["text", { type: "string", message: "text" }],
    [Symbol("s"), { type: "symbol", message: "Symbol(s)" }],
    [
      { reason: 1 },
      { type: "Object", message: "not an Error", value: { reason: 1 } },
    ],
    [
      hostile,
      { type: "object", message: "not an Error", value: "[unreadable]" },
    ],
    [throws, { type: "function", message: "[function]" }],
  ])("may be made from any thrown value: %#", (thrown, described) => {
    expect(describeError(thrown)).toEqual(described);
  });

  it("keeps the frames of the stack, however long the message is", () => {
    const { message, stack } = describeError(
      new RangeError("m".repeat(100_000)),
    );
    expect(message).toMatch(/^m{1900,} … |^m{1900,}… \(100000 characters\)$/);
    expect(stack).toMatch(/^RangeError: m+/);
    expect(stack).toContain("loggable.test.ts");
  });

  it("may have itself as its cause, or members that throw", () => {
    const error = new Error("self");
    error.cause = { error, again: error };
    const hidden = Object.defineProperty(new Error("x"), "message", {
      get: throws,
    });
    hidden.cause = error;
    expect(describeError(error)).toMatchObject({
      message: "self",
      cause: { type: "Object" },
    });
    expect(describeError(hidden)).toMatchObject({
      type: "Error",
      message: "[unreadable]",
    });
  });

  it("has only the code of the error's own members, because others may hold secrets", () => {
    const error = Object.assign(new Error("request failed"), {
      code: "ERR_BAD_REQUEST",
      config: { headers: { authorization: "Bearer private" } },
    });
    expect(describeError(error)).toMatchObject({ code: "ERR_BAD_REQUEST" });
    expect(JSON.stringify(describeError(error))).not.toContain("private");
  });
});

import { describe, expect, it } from "@jest/globals";
import { payloadOf } from "../../../../src/delivery/handler/payload.ts";

const FORM = "application/x-www-form-urlencoded";
const parse = (contentType: string, body: string) =>
  payloadOf({ contentType, body: Buffer.from(body) });

describe("the payload of an event", () => {
  it.each([
    ["application/json", '\ufeff{"a":[1]}', { a: [1] }],
    ["application/json", '[{"a":1}]', [{ a: 1 }]],
    ["text/plain", '{"a":1}', { a: 1 }],
    [FORM, "a=1&b=x+y%C3%A4&c", { a: "1", b: "x yä", c: "" }],
    [`${FORM}; charset=utf-8`, "a=1&a=2&a=3", { a: ["1", "2", "3"] }],
    [FORM, "", {}],
  ])("of type %s: %j", (contentType, body, payload) => {
    expect(parse(contentType, body)).toEqual(payload);
  });

  it("of a form may have any names", () => {
    const payload = parse(FORM, "__proto__=1&constructor=2");
    expect(Object.entries(payload)).toEqual([
      ["__proto__", "1"],
      ["constructor", "2"],
    ]);
    expect(Object.getPrototypeOf(payload)).toBe(Object.prototype);
  });

  it("does not exist for another body, and the error does not contain the body", () => {
    expect(() => parse("text/xml", "<secret/>")).toThrow(
      new TypeError(
        "event.payload: the body is neither JSON nor a form; use event.rawBody",
      ),
    );
  });
});

import { describe, expect, it } from "@jest/globals";
import { hash as digest } from "node:crypto";
import { compileIdentify } from "../../../src/signature/identify.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";

function identify(
  scheme: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
) {
  const bytes = Buffer.from(body as string);
  return compileIdentify(schemeOf(scheme))({
    method: "POST",
    url: "/",
    headers: { "content-type": "application/json", ...headers },
    body: bytes,
  });
}

const sha256 = (body: string | Buffer): string => digest("sha256", body, "hex");
const REJECTED = { id: null, type: null, idSigned: true };
const FORM = { "content-type": "application/x-www-form-urlencoded" };

describe("a signed id in the body", () => {
  it.each<[string, string | Buffer, string | null]>([
    ["a text", '{"id":"evt_1"}', "evt_1"],
    ["an integer", '{"id":-42}', "-42"],
    ["the largest safe integer", '{"id":9007199254740991}', "9007199254740991"],
    ["the last of two", '{"id":"a","id":"b"}', "b"],
    ["absent", '{"a":1}', "digest"],
    ["null", '{"id":null}', "digest"],
    ["in an array", '[{"id":"evt_1"}]', "digest"],
    ["an integer that is not safe", '{"id":9007199254740992}', null],
    ["a fraction", '{"id":1.5}', null],
    ["an integer in another form", '{"id":1.0}', null],
    ["an integer with an exponent", '{"id":1e3}', null],
    ["a boolean", '{"id":true}', null],
    ["an object", '{"id":{}}', null],
    ["empty", '{"id":""}', null],
    ["256 characters", `{"id":"${"€".repeat(256)}"}`, "€".repeat(256)],
    ["257 characters", `{"id":"${"x".repeat(257)}"}`, null],
    ["a lone surrogate", '{"id":"\\ud800"}', null],
    ["not UTF-8", Buffer.from('{"id":"\xff"}', "latin1"), null],
    ["a replacement character", '{"id":"\ufffd"}', "\ufffd"],
  ])("that is %s", (_name, body, id) => {
    expect(identify("stripe", body)).toEqual(
      id === null
        ? REJECTED
        : {
            id: id === "digest" ? sha256(body) : id,
            type: "event",
            idSigned: true,
          },
    );
  });
});

describe("an id that is not signed", () => {
  it.each([
    ["is the value of its header", "d-1", "d-1"],
    ["is the digest if its header is absent", undefined, "digest"],
    ["is the digest if its header is empty", "", "digest"],
    ["is the digest if it is too long", "x".repeat(257), "digest"],
  ])("%s", (_name, header, id) => {
    const headers = header === undefined ? {} : { "x-github-delivery": header };
    expect(identify("github", "{}", headers)).toEqual({
      id: id === "digest" ? sha256("{}") : id,
      type: "event",
      // Otherwise a captured body could be recorded again under its digest.
      idSigned: false,
    });
  });

  it("has digits of the digest if the sender uses it more than once", () => {
    const id = (text: string): string | null =>
      identify("woocommerce", "{}", { "x-wc-webhook-delivery-id": text }).id;
    const digits = sha256("{}").slice(0, 12);
    expect([id("1"), id("x".repeat(243)), id("x".repeat(244))]).toEqual([
      `1:${digits}`,
      `${"x".repeat(243)}:${digits}`,
      sha256("{}"),
    ]);
  });
});

describe("a type", () => {
  it("is the first usable one, or `event`", () => {
    const type = (body: string): string | null => identify("slack", body).type;
    expect([
      type('{"type":"event_callback","event":{"type":"app_mention"}}'),
      type('{"type":"app_rate_limited"}'),
      type('{"type":"a","event":{"type":{}}}'),
      type(`{"type":"${"x".repeat(129)}"}`),
      type('{"type":7}'),
      type("{}"),
    ]).toEqual(["app_mention", "app_rate_limited", "a", "event", "7", "event"]);
  });

  it("may be in an element of an array, and in a name with escapes", () => {
    expect(identify("sendgrid", '[{"event":"open"},{"event":"x"}]').type).toBe(
      "open",
    );
    expect(identify("sendgrid", '[{"\\u0065vent":"open"}]').type).toBe("open");
  });
});

describe("a body", () => {
  it("that is declared as JSON must be an object or an array", () => {
    const bodies = ["", "null", '"text"', "1", "{", "{}{}", "[1,]", '{"a":01}'];
    for (const body of bodies) {
      expect([body, identify("github", body)]).toEqual([body, REJECTED]);
    }
    const types = [
      "application/vnd.api+json",
      "Application/JSON; charset=utf8",
    ];
    for (const type of types) {
      expect(identify("github", "x", { "content-type": type })).toEqual(
        REJECTED,
      );
    }
  });

  it("of another media type needs no grammar, and may be JSON", () => {
    const other = { "content-type": "text/plain" };
    expect(identify("stripe", '{"id":"evt_1"}', other).id).toBe("evt_1");
    expect(identify("stripe", '{"id":"evt_1"', other).id).toBe(
      sha256('{"id":"evt_1"'),
    );
  });

  it("that is a form of a slash command has the digest as its id", () => {
    const body = "command=%2Fweather&text=94070";
    expect(identify("slack", body, FORM)).toEqual({
      id: sha256(body),
      type: "event",
      idSigned: true,
    });
  });
});

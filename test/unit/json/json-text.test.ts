import { describe, expect, it } from "@jest/globals";
import { randomInt } from "node:crypto";
import { memberName, readMembers } from "../../../src/json/read-members.ts";
import { decodeJson } from "../../../src/json/decode.ts";
import { compileIdentify } from "../../../src/signature/identify.ts";
import { schemeOf } from "../../../src/signature/schemes.ts";
import { seededRandom } from "../../support/seeded-random.ts";

const identifyHex = compileIdentify(schemeOf("hex"));

function identify(body: Buffer): ReturnType<typeof identifyHex> {
  return identifyHex({ method: "POST", url: "/", headers: {}, body });
}

const NAMES = ["id", "type", "x"];
const MEMBER_NAMES = NAMES.map(memberName);

/** Returns the scalar members of a body as `JSON.parse` reads them, or null if it is not a JSON object. */
function parsedMembers(body: Buffer): unknown[] | null {
  let value: unknown;
  try {
    value = JSON.parse(decodeJson(body));
  } catch {
    return null;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    return null;
  }
  return NAMES.map((name) => {
    const member = Object.hasOwn(value, name)
      ? (value as Record<string, unknown>)[name]
      : undefined;
    return typeof member === "object" && member !== null ? undefined : member;
  });
}

function expectSame(body: Buffer): void {
  const read = readMembers(body, MEMBER_NAMES);
  // The body is part of the comparison, so that a failure shows it.
  expect([body.toString("latin1"), read]).toEqual([
    body.toString("latin1"),
    parsedMembers(body),
  ]);
}

describe("reading members of a JSON text", () => {
  it.each([
    '{"id":"e","type":"t"}',
    ' \t\r\n{ "id" : "e" , "type" : "t" } \n',
    '\ufeff{"id":"e"}',
    '\ufeff\ufeff{"id":"e"}',
    '{"id":1,"id":"2"}',
    '{"i\\u0064":"escaped","ty\\u0070e":"\\u00e9\\n\\ud83d\\ude00"}',
    '{"id":"\\ud800","type":null,"x":true}',
    '{"id":-0.5e-3,"type":1e999,"x":false}',
    '{"x":{"id":"inner"},"id":["inner"]}',
    '{"__proto__":{"id":"p"},"x":[[],{},[{}]]}',
    "{}",
    "[]",
    "[1]",
    '"id"',
    "null",
    "",
    " ",
    "{",
    "{]",
    "[}",
    '{"id"}',
    '{"id":}',
    '{"id":"e",}',
    '{,"id":"e"}',
    '{"id":"e"}}',
    '{"id":"e"} x',
    '{"id":01}',
    '{"id":+1}',
    '{"id":.5}',
    '{"id":1.}',
    '{"id":1e}',
    '{"id":-}',
    '{"id":tru}',
    '{"id":truex}',
    '{"id":nul',
    '{"id":"e',
    '{"id":"\n"}',
    '{"id":"\\x"}',
    '{"id":"\\u12g4"}',
    '{"id":"\\u12',
    "{'id':1}",
    '{"id":NaN}',
    '{"id":"\u2028"}',
    '{"x":[1,]}',
    '{"x":[1 2]}',
    '{"x":{"y":1 "z":2}}',
  ])("%j gives the same result as JSON.parse", (text) => {
    expectSame(Buffer.from(text));
  });

  it("accepts invalid UTF-8 in strings, like JSON.parse", () => {
    for (let byte = 0x80; byte < 0x100; byte += 1) {
      const bad = Buffer.from([byte]);
      const quote = Buffer.from('"');
      const before = Buffer.from('{"x":"a');
      const after = Buffer.from(',"id":"e"}');
      expectSame(Buffer.concat([before, bad, quote, after]));
      expectSame(Buffer.concat([before, quote, bad, after]));
    }
  });

  it("finds special bytes at every position of a long string", () => {
    const room = Buffer.alloc(1000);
    for (let byte = 0; byte < 0x100; byte += 1) {
      for (let place = 0; place < 9; place += 1) {
        const value = Buffer.alloc(150, "x");
        value[90 + place] = byte;
        // A body that was read from a socket can start at any offset of its memory.
        const body = room.subarray(place % 4);
        let length = body.write('{"x":"', "latin1");
        length += value.copy(body, length);
        length += body.write('","id":"e"}', length, "latin1");
        expectSame(body.subarray(0, length));
        expectSame(body.subarray(0, 100));
      }
    }
  });

  it("does not recurse on deeply nested bodies", () => {
    for (const [open, close] of [
      ["[", "]"],
      ['{"a":', "}"],
    ] as const) {
      const depth = 200_000;
      const inner = `${open.repeat(depth)}1${close.repeat(depth)}`;
      const body = Buffer.from(`{"id":"e","x":${inner},"type":"t"}`);
      expect(identify(body)).toMatchObject({ id: "e", type: "t" });
      expect(identify(body.subarray(0, -2)).id).toBeNull();
    }
  });

  const seed = randomInt(2 ** 31);
  it(`reads random JSON texts exactly like JSON.parse (seed ${seed})`, () => {
    const random = seededRandom(seed);
    const pick = (list: readonly (string | Buffer)[]): Buffer =>
      Buffer.from(list[Math.floor(random() * list.length)] as string);
    const parts = [
      ...Array.from('{}[],:"\\ -0123456789.eE+\n\t\r'),
      ...['"id"', '"type"', '"x"', '"i\\u0064"', '"id":"e"', '"type":"t"'],
      ...["1.5", "-0", "1e999", "01", "true", "false", "null", "tru"],
      ...["\\u00e9", "\\n", "\\x", "\ufeff", "\u2028", "é", "\u0000", "\u007f"],
      ...['{"id":"a"}', '"x":{}', '"x":[{},[]]', '\\"', "{}", "[]"],
      Buffer.from([0xff]),
      Buffer.from([0xe2, 0x82]),
    ];
    let valid = 0;
    for (let n = 0; n < 5_000; n += 1) {
      const wrapped = random() < 0.6;
      const inner = Array.from({ length: Math.floor(random() * 9) }, () =>
        pick(parts),
      );
      const body = Buffer.concat([
        Buffer.from(wrapped ? '{"id":"e","type":"t"' : ""),
        ...inner,
        Buffer.from(wrapped ? "}" : ""),
      ]);
      if (body.length > 0 && random() < 0.2) {
        body[Math.floor(random() * body.length)] = Math.floor(random() * 256);
      }
      expectSame(body);
      valid += parsedMembers(body) === null ? 0 : 1;
    }
    expect(valid).toBeGreaterThan(100);
  });
});

import { describe, expect, it } from "@jest/globals";
import { bodyLines } from "../../../src/cli/listen/body-text.ts";

const lines = (body: string | Buffer, type = "application/json") =>
  bodyLines(Buffer.from(body), type);

describe("the text of a body", () => {
  it("indents JSON without changing a value", () => {
    const body =
      '{"a":1e400,"a":12345678901234567890,"b":[],"c":{},"d":["x\\"}",null,[true]]}';
    expect(lines(body)).toEqual([
      "{",
      '  "a": 1e400,',
      '  "a": 12345678901234567890,',
      '  "b": [],',
      '  "c": {},',
      '  "d": [',
      '    "x\\"}",',
      "    null,",
      "    [",
      "      true",
      "    ]",
      "  ]",
      "}",
    ]);
    expect(lines(body).join("").replaceAll(/ /g, "")).toBe(body);
    expect(lines("\ufeff[1]")).toEqual(["[", "  1", "]"]);
  });

  it("shows each field of a form, and other text as it is", () => {
    expect(
      lines("a=1&b=x%20y&a=%1b[2J", "application/x-www-form-urlencoded"),
    ).toEqual(["a = 1", "b = x y", "a = \\u001b[2J"]);
    expect(lines("one\r\ntwo", "text/plain")).toEqual(["one", "two"]);
    expect(lines("")).toEqual(["(empty body)"]);
  });

  it.each([
    ["control codes in a string", '{"a":"\u001b[2J\u0007\u202e"}'],
    ["control codes outside strings", "{\u001b[2J:\u009b}]}\u2028"],
    ["a string that does not end", '{"a":"\\'],
    ["closing brackets only", "[]]]]}}}}"],
    ["bytes that are not UTF-8", Buffer.from([0x7b, 0xff, 0x1b, 0xfe])],
  ])("has no effect on a terminal: %s", (_what, body) => {
    for (const line of lines(body)) {
      expect(line).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
    }
  });

  it("shows the beginning of a large or deep body, and says how large it is", () => {
    const list = lines(
      JSON.stringify(Array.from({ length: 5000 }, (_, n) => n)),
    );
    expect(list).toHaveLength(201);
    expect(list.at(-1)).toMatch(/^… \(\d+ bytes in all\)$/);
    const deep = lines("[".repeat(20_000));
    expect(deep).toHaveLength(201);
    expect(Math.max(...deep.map((line) => line.length))).toBeLessThan(80);
    const long = lines(`{"a":"${"é".repeat(100_000)}"}`);
    expect(long.join("").length).toBeLessThan(9000);
    expect(long.join("")).not.toContain("not valid UTF-8");
  });

  it("says that a body is not valid UTF-8", () => {
    expect(lines(Buffer.from('{"a":"\xff"}', "latin1"))[0]).toBe(
      "(the body is not valid UTF-8)",
    );
  });
});

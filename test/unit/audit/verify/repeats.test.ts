import { describe, expect, it } from "@jest/globals";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import {
  faultsOf,
  headOf,
  rehashed,
  run,
  verify,
  verifyAsStore,
} from "../../../support/trails.ts";

const ONE = run("1111aaaa", 60);
const TWO = run("2222bbbb", 60, { heads: [headOf(ONE)] });
const TRAIL = [...ONE, ...TWO];

describe("repeated entries", () => {
  it.each([
    ["each of them at once", TRAIL.flatMap((line) => [line, line]), 120],
    [
      "each a little later",
      TRAIL.flatMap((line, n) => [line, TRAIL[n - 7] ?? line]),
      120,
    ],
    ["one stream after the other", [...TRAIL, ...TRAIL, ...TRAIL], 240],
    ["the end of a killed process", [...ONE, ...ONE.slice(50), ...TWO], 10],
    ["some from the middle", [...TRAIL, ...ONE.slice(20, 30)], 10],
    [
      "two streams line by line",
      [
        ...ONE.slice(0, 40),
        ...ONE.slice(40).flatMap((line) => [line, line]),
        ...TWO,
      ],
      20,
    ],
  ])("are counted: %s", (_how, lines, repeats) => {
    const heads = [headOf(ONE), headOf(TWO)];
    for (const report of [verify(lines), verifyAsStore(lines, heads)]) {
      expect(faultsOf(report)).toEqual([]);
      const [one, two] = report.writers;
      expect(one!.repeats + two!.repeats).toBe(repeats);
      expect(report.writers).toMatchObject([
        { entries: 60, uncompared: 0 },
        { entries: 60, uncompared: 0 },
      ]);
    }
  });

  it("are compared: a changed one is a fault of its writer, even with a new hash", () => {
    for (const at of [5, 40, 59]) {
      const { writer, seq, prev } = parseEntry(ONE[at]!)!.chain;
      for (const change of [
        (line: string) => line.replace('"writer":"1', '"writer":"3'),
        (line: string) => line.replace(`"seq":${seq}`, `"seq":0${seq}`),
        (line: string) => line.replace(prev, prev.replace(/^./, "x")),
        (line: string) => line.replace(/"hash":"./, '"hash":"x'),
        (line: string) =>
          line.replace('"timestamp":"2027', '"timestamp":"2028'),
        (line: string) =>
          rehashed(line, (text) =>
            text.replace('"timestamp":"2027', '"timestamp":"2028'),
          ),
      ]) {
        const again = ONE.with(at, change(ONE[at]!));
        expect(faultsOf(verify([...TRAIL, ...again]))).toMatchObject([
          { writer, seq, code: expect.stringMatching(/edited|inserted/) },
        ]);
      }
    }
  });

  it("are compared at any distance if they lead to an entry that is remembered", () => {
    const long = run("long", 20_500, { every: 900 });
    const whole = verify([...long, ...long]);
    expect(faultsOf(whole)).toEqual([]);
    expect(whole.writers).toMatchObject([{ repeats: 20_500, uncompared: 0 }]);
    const changed = rehashed(long[3]!, (text) =>
      text.replace('"timestamp":"2027', '"timestamp":"2028'),
    );
    // Its hash is valid and it is too far back to be compared, but the next entry is not linked to it.
    const edited = verify([...long, ...long.with(3, changed)]);
    expect(edited.writers).toMatchObject([{ uncompared: 4 }]);
    const part = verify([...long, ...long.slice(0, 300)]);
    expect(part.writers).toMatchObject([{ repeats: 300, uncompared: 300 }]);
  });
});

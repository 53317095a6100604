import { describe, expect, it } from "@jest/globals";
import { AuditChain } from "../../../../src/audit/chain.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import {
  draft,
  faultsOf,
  headOf,
  run,
  verify,
} from "../../../support/trails.ts";

const ONE = run("1111aaaa", 30, { stops: true });
const TWO = run("2222bbbb", 60, { heads: [headOf(ONE)] }).slice(0, 40);
const TRAIL = [...ONE, ...TWO];
const KEY = { publicKeys: [CHECKPOINTS.publicKey] };

describe("a stream", () => {
  it.each([
    ["journald", "Nov 24 19:36:03 host1 hexhook[123]: [AUDIT] "],
    ["RFC 5424", "<14>1 2026-11-24T19:36:03Z host1 hexhook 7 - - [AUDIT] "],
    ["CRI", "2026-11-24T19:36:03.123456789Z stdout F [AUDIT] "],
    ["compose", "web-1  | 2026-11-23T18:00:00.123456789Z [AUDIT] "],
    ["a swarm", "hexhook.1.abc@node1    | [AUDIT] "],
    ["colours", "\u001b[36mweb-1  | \u001b[0m[AUDIT] "],
    ["a tab", "2026-11-24T19:36:03Z\t[AUDIT] "],
    ["spaces and a byte order mark", "\ufeff  "],
    ["a prefix without [AUDIT]", "web-1 | "],
  ])("may have a prefix before each line: %s", (_what, before) => {
    const lines = TRAIL.map((line) => `${before}${line}\r`);
    const report = verify(lines, KEY);
    expect(faultsOf(report)).toEqual([]);
    expect(report).toMatchObject({ entries: 70, skipped: 0, torn: 0 });
  });

  it("reports a change of the [AUDIT] prefix", () => {
    const prefixed = TRAIL.map((line) => `2026-11-24 [AUDIT] ${line}`);
    for (const [from, to] of ["A@", "[{", "  ", "]\u001d"]) {
      const changed = prefixed[40]!.replace("[AUDIT] ", (all) =>
        all.replace(from!, to!),
      );
      const expected =
        changed === prefixed[40]
          ? []
          : [{ writer: "2222bbbb", seq: 11, code: "edited" }];
      expect(faultsOf(verify(prefixed.with(40, changed)))).toEqual(expected);
    }
  });

  it.each([
    '{"timestamp":"2026-11-24T19:40:00.000Z","level":"info","message":"hello"}',
    `{"block":5,"prev":"${"a".repeat(64)}"}`,
    `{"block":5,"prev":"${"a".repeat(64)}","next":{"hash":"${"b".repeat(64)}"}}`,
    '{"a":1,"chain":{"writer":"x"}}',
    `{"level":30,"msg":"shipping","entry":${ONE[5]!}}`,
    `web-1 | {"level":30,"msg":"shipping","entry":${ONE[5]!}}`,
    `web-1 | {"timestamp":"2026","msg":"shipping","entry":${ONE[5]!}}`,
    `  "entry": ${ONE[5]!},`,
    JSON.stringify({ log: `[AUDIT] ${ONE[5]!}\n`, stream: "stdout" }),
    '[AUDIT] {"timestamp":"2026-11-24T19:40:00.000Z","action":"login","userId":"u","resource":"/","result":"success","metadata":{}}',
    "",
  ])("may contain lines of other programs: %s", (other) => {
    const report = verify(TRAIL.flatMap((line) => [other, line]));
    expect(faultsOf(report)).toEqual([]);
    expect(report).toMatchObject({ entries: 70, skipped: 70 });
  });

  it("may have an incomplete entry with another line, or an entry, directly after it", () => {
    const torn = TWO[2]!;
    const other = '{"level":30,"time":"2026","msg":"listening"}';
    for (let length = 20; length < torn.length; length += 3) {
      const broken = torn.slice(0, length);
      for (const after of [
        other,
        `[AUDIT] ${ONE[0]!.slice(0, 9)}`,
        TWO[1]!,
        "",
      ]) {
        const report = verify([...TWO.slice(0, 2), broken + after, torn]);
        expect(faultsOf(report)).toEqual([]);
        expect(report.torn).toBeGreaterThan(0);
      }
    }
  });

  it("may end in an incomplete start that contains the hashes of other entries", () => {
    const [start] = TWO;
    for (let length = 20; length < start!.length - 1; length += 1) {
      const report = verify([...ONE, start!.slice(0, length)]);
      expect(faultsOf(report)).toEqual([]);
    }
  });

  it("reports the line number of an entry whose place cannot be read", () => {
    const changed = ONE[5]!
      .replace(/"seq":\d+/, '"seq":x')
      .replace('"writer":"1111aaaa"', '"writer":"!"')
      .replace(/"prev":"[0-9a-f]{4}/, '"prev":"ffff')
      .replace(/"hash":"[0-9a-f]{4}/, '"hash":"ffff');
    expect(faultsOf(verify(["other", ...TRAIL, changed]))).toMatchObject([
      { code: "unreadable", line: 72 },
    ]);
  });
});

/* Their time would grow with the square of the number of lines if each line were compared with all before it. */
describe("a hostile stream needs time and memory in proportion to its length", () => {
  it.each<[string, () => string[]]>([
    ["one line of beginnings", () => ['{"timestamp":"'.repeat(4600)]],
    [
      "spaces and colours",
      () => [`${" ".repeat(2_000_000)}x${"\u001b[0m".repeat(10_000)}`],
    ],
    ["zero bytes", () => ["\0".repeat(5_000_000)]],
    ["lines of zero bytes", () => Array<string>(20_000).fill("\0".repeat(250))],
    ["quotes and backslashes", () => ['"\\'.repeat(1_000_000)]],
    [
      "unsigned statements of one writer",
      () => {
        const chain = new AuditChain("feed", CHECKPOINTS);
        const metadata = { writers: Array<object>(40).fill(headOf(ONE)) };
        return Array.from(
          { length: 2_000 },
          () =>
            chain.append({ ...draft(1, metadata), action: "retention.purged" })
              .line,
        );
      },
    ],
    [
      "starts of many writers, each with many heads",
      () =>
        Array.from({ length: 2_000 }, (_, n) => {
          const heads = Array.from({ length: 40 }, (__, i) => ({
            ...headOf(ONE),
            writer: `w${n - i}`,
          }));
          const chain = new AuditChain(`w${n}`, CHECKPOINTS);
          return chain.append({
            ...draft(1, { heads }),
            action: "server.started",
          }).line;
        }),
    ],
    [
      "corrupt lines",
      () =>
        Array.from(
          { length: 20_000 },
          (_, n) =>
            `{"timestamp":"x","chain":{"writer":"w${n}","seq":1,"prev":"${"0".repeat(64)}"},"hash":"${String(n).padStart(64, "0")}"}`,
        ),
    ],
  ])("%s", (_what, lines) => {
    const { writers } = verify([...lines(), ...ONE], KEY);
    expect(writers.find(({ writer }) => writer === "1111aaaa")).toMatchObject({
      entries: 30,
      anchoredTo: 30,
      fault: null,
    });
  });
});

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { maybeAtWork } from "../../../../src/audit/sinks/at-work.ts";
import {
  AuditChain,
  type ChainHead,
  hashLine,
} from "../../../../src/audit/chain.ts";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import { CHECKPOINTS, SECRET, TODAY } from "../../../support/fixtures.ts";
import { startTestService } from "../../../support/service.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import {
  hexhook,
  hexhookOnTerminal,
  itWithPython,
} from "../../../support/processes.ts";
import {
  AT,
  draft,
  faultsOf,
  headOf,
  rehashed,
  run,
  started,
  STOPPED,
  verify,
  verifyAsStore,
} from "../../../support/trails.ts";

const ONE = run("1111aaaa", 60, { stops: true });
/** Killed: the next one says what it may print again. */
const TWO = run("2222bbbb", 100, { heads: [headOf(ONE)] }).slice(0, 70);
const THREE = run("3333cccc", 60, {
  heads: [headOf(TWO), headOf(ONE)],
  resumed: [headOf(TWO.slice(0, 26))],
});
const TRAIL = [...ONE, ...TWO, ...THREE];
const HEADS = [headOf(THREE), headOf(TWO), headOf(ONE)];
const KEY = { publicKeys: [CHECKPOINTS.publicKey] };

/** An entry that anybody can make: well linked and hashed, and signed by nobody. */
function forged(after: readonly string[], entry: Partial<AuditDraft>): string {
  const chain = new AuditChain(headOf(after).writer, CHECKPOINTS);
  chain.rewind({ ...headOf(after), checkpointSeq: 0 });
  return chain.append({ ...draft(1), ...entry }).line;
}

/** The first entries of a writer that nobody has signed. */
function unsignedRun(
  writer: string,
  length: number,
  metadata: object = {},
): string[] {
  const chain = new AuditChain(writer, CHECKPOINTS);
  const first = { ...draft(1, metadata), action: "server.started" } as const;
  const lines = [chain.append(first).line];
  while (lines.length < length) {
    lines.push(chain.append(draft(lines.length)).line);
  }
  return lines;
}

const missingOne = { writer: "1111aaaa", seq: 1, what: "missing" };

describe("an entry that nothing signed vouches for", () => {
  it("excuses no missing and no doubled entry of another writer", () => {
    const resumed = [{ writer: "1111aaaa", seq: 41 }];
    const cut = TRAIL.slice(40);
    const doubled = TRAIL.toSpliced(60, 0, ...ONE.slice(40));
    for (const claim of [
      forged(THREE, { action: "server.started", metadata: { resumed } }),
      unsignedRun("feed", 1, { resumed })[0]!,
    ]) {
      expect(faultsOf(verify([...cut, claim], KEY))).toEqual([missingOne]);
      expect(faultsOf(verify([...doubled, claim], KEY))).toMatchObject([
        { writer: "1111aaaa", what: expect.stringMatching(/doubled|inserted/) },
      ]);
    }
  });

  it("accuses no writer whose entries are signed", () => {
    for (const seq of [60, 9999]) {
      const heads = [{ writer: "1111aaaa", seq, hash: "a".repeat(64) }];
      const claim = unsignedRun("feed", 2, { heads });
      const report = verify([...TRAIL, ...claim], KEY);
      expect(faultsOf(report)).toEqual([]);
      expect(report.writers.at(-1)).toMatchObject({
        writer: "feed",
        anchoredTo: 0,
      });
    }
  });

  it("is inserted, when its writer has ended", () => {
    const behind = forged(ONE, {});
    const fault = [{ writer: "1111aaaa", seq: 61, what: "inserted" }];
    expect(faultsOf(verify([...TRAIL, behind], KEY))).toEqual(fault);
    expect(faultsOf(verify(TRAIL.toSpliced(60, 0, behind), KEY))).toEqual(
      fault,
    );
    const table = [...HEADS.slice(0, 2), headOf([behind])];
    expect(faultsOf(verifyAsStore([...TRAIL, behind], table))).toEqual(fault);
    // Of one that was killed nobody can tell where it ended: what is behind its last signed entry is told to be loose.
    const loose = verify([...TRAIL, forged(TWO, {})], KEY);
    expect(loose.writers[1]).toMatchObject({ lastSeq: 71, anchoredTo: 70 });
  });

  it("keeps the whole from being told, when its writer has none that is signed", async () => {
    const folder = temporaryFolder();
    const lines = [...ONE, ...unsignedRun("feed", 5), ...TWO].join("\n");
    const { code, stdout } = await hexhook(["audit", "verify", "-"], {
      cwd: folder.path,
      input: lines,
    });
    expect(code).toBe(2);
    expect(stdout).toContain("nothing that 1 writer wrote is signed: feed\n");
  });
});

describe("the late beginning of a writer", () => {
  it("is excused only where the lines begin with it, as the output of a new process does", () => {
    const late = TWO.slice(25);
    expect(faultsOf(verify([...late, ...THREE]))).toEqual([]);
    expect(faultsOf(verify([...ONE, ...late, ...THREE]))).toEqual([
      { writer: "2222bbbb", seq: 1, what: "missing" },
    ]);
    expect(faultsOf(verifyAsStore([...late, ...THREE], HEADS))).toContainEqual({
      writer: "2222bbbb",
      seq: 1,
      what: "missing",
    });
  });

  it("leaves nothing anchored when it is not excused", () => {
    const { writers } = verify([...ONE.slice(0, 10), ...ONE.slice(20)]);
    expect(writers).toMatchObject([
      { anchoredTo: 2, lastSeq: 10, fault: { seq: 11, what: "missing" } },
    ]);
    expect(verify(ONE.slice(20)).writers).toMatchObject([
      { anchoredTo: 0, fault: missingOne },
    ]);
  });

  it("names the writers that these lines do not have", () => {
    expect(verify([...TWO, ...THREE]).absent).toMatchObject([
      { writer: "1111aaaa", seq: 60 },
    ]);
    expect(verify(TRAIL).absent).toEqual([]);
  });
});

describe("what comes a second time", () => {
  const again = TWO.slice(25);

  it("is excused where it begins as a start says and goes on to the end, once", () => {
    const printed = [...ONE, ...TWO, ...again, ...THREE];
    expect(faultsOf(verify(printed))).toEqual([]);
    expect(faultsOf(verifyAsStore(printed, HEADS))).toEqual([
      { writer: "2222bbbb", seq: 26, what: "doubled" },
    ]);
    const twice = [...ONE, ...TWO, ...again, ...again, ...THREE];
    expect(faultsOf(verify(twice))).toEqual([
      { writer: "2222bbbb", seq: 26, what: "doubled" },
    ]);
  });

  it.each([
    ["at the place that is named, alone", TWO.slice(25, 26), 26],
    ["up to somewhere in the middle", TWO.slice(25, 50), 26],
    ["from another place on", TWO.slice(26), 27],
    ["before that place", TWO.slice(10, 20), 11],
  ])("is doubled %s", (_where, lines, seq) => {
    expect(
      faultsOf(verify([...ONE, ...TWO, ...lines, ...THREE])),
    ).toMatchObject([{ writer: "2222bbbb", seq, what: "doubled" }]);
  });

  it("may break off, when its process was killed too, and the next one takes it up", () => {
    const brief = THREE.slice(0, 2);
    const four = run("4444dddd", 10, {
      heads: [headOf(brief), headOf(TWO), headOf(ONE)],
      resumed: [headOf(TWO.slice(0, 41)), headOf(brief.slice(0, 1))],
    });
    const lines = [...ONE, ...TWO, ...TWO.slice(25, 45)];
    const takenUp = [...TWO.slice(40), ...brief, ...four];
    expect(faultsOf(verify([...lines, ...takenUp]))).toEqual([]);
    expect(faultsOf(verify([...lines, ...brief, ...four]))).toEqual([
      { writer: "2222bbbb", seq: 26, what: "doubled" },
    ]);
  });
});

describe("an entry that is changed where it comes a second time", () => {
  it("is put down to its own writer and place", () => {
    const printed = [...ONE, ...TWO, ...TWO.slice(25), ...THREE];
    for (let n = 26; n < 70; n += 7) {
      const at = ONE.length + TWO.length + n - 25;
      const { writer, seq, prev } = parseEntry(printed[at]!)!.chain;
      for (const change of [
        (line: string) => line.replace(`"writer":"2`, `"writer":"3`),
        (line: string) => line.replace(`"seq":${seq}`, `"seq":0${seq}`),
        (line: string) => line.replace(prev, prev.replace(/^./, "x")),
        (line: string) => line.replace(/"hash":"./, '"hash":"x'),
      ]) {
        expect(
          faultsOf(verify(printed.with(at, change(printed[at]!)))),
        ).toContainEqual({ writer, seq, what: "edited" });
      }
    }
  });
});

describe("what the retention has deleted", () => {
  /** The rest of a trail whose first entries are purged, as a signed entry says. */
  function purged(gone: readonly string[]): string[] {
    const chain = new AuditChain("9999ffff", CHECKPOINTS);
    const heads = [headOf(gone)];
    return [
      chain.append(started([])).line,
      chain.checkpoint(AT)!.line,
      chain.append({
        ...draft(1),
        action: "retention.purged",
        resource: "/audit",
        metadata: { writers: heads },
      }).line,
      chain.checkpoint(AT)!.line,
    ];
  }

  it("excuses the beginning of a writer, and nothing that somebody puts there instead", () => {
    // Kept from a checkpoint on.
    const at = 40;
    expect(parseEntry(ONE[at]!)!.action).toBe("audit.checkpoint");
    const rest = [...ONE.slice(at), ...purged(ONE.slice(0, at))];
    expect(faultsOf(verify(rest, KEY))).toEqual([]);
    const invented = unsignedRun("1111aaaa", 3);
    expect(faultsOf(verify([...invented, ...rest], KEY))).toEqual([
      { writer: "1111aaaa", seq: 4, what: "missing" },
    ]);
    const table = [headOf(rest), headOf(ONE)];
    expect(faultsOf(verifyAsStore(rest, table))).toEqual([]);
    expect(faultsOf(verifyAsStore([...invented, ...rest], table))).toEqual([
      { writer: "1111aaaa", seq: 4, what: "missing" },
    ]);
  });

  it("makes nothing of a head that was kept from before, unless it names another hash", () => {
    const rest = [...TWO, ...purged(ONE)];
    const old = headOf(ONE.slice(0, 20));
    const last = headOf(ONE);
    const report = verify(rest, { heads: [old, last] });
    expect(faultsOf(report)).toEqual([]);
    expect(report.untold).toEqual([old]);
    const wrong = { ...last, hash: "b".repeat(64) };
    expect(faultsOf(verify(rest, { heads: [wrong] }))).toEqual([
      { writer: "1111aaaa", seq: 60, what: "edited" },
    ]);
  });
});

describe("heads that are given", () => {
  it("must all be right, also when two speak of one entry", () => {
    const right = headOf(ONE.slice(0, 50));
    const wrong = { ...right, hash: "a".repeat(64) };
    expect(faultsOf(verify(TRAIL, { heads: [right] }))).toEqual([]);
    for (const heads of [
      [right, wrong],
      [wrong, right],
    ]) {
      expect(faultsOf(verify(TRAIL, { heads }))).toMatchObject([
        { writer: "1111aaaa", seq: 50 },
      ]);
    }
  });

  it("of a writer before a part of the trail say nothing", () => {
    const head = headOf(ONE);
    const report = verify(THREE, { partial: true, heads: [head] });
    expect(faultsOf(report)).toEqual([]);
    expect(report.untold).toEqual([head]);
  });
});

describe("an entry in another spelling", () => {
  const last = headOf(THREE).seq - 1;

  it.each<[string, (covered: string) => string]>([
    [
      "a member twice",
      (text) =>
        text.replace(
          '{"timestamp":',
          '{"timestamp":"1999-01-01T00:00:00.000Z","timestamp":',
        ),
    ],
    [
      "a member more",
      (text) => text.replace(',"action":', ',"note":"","action":'),
    ],
    [
      "a member more in its place",
      (text) => text.replace('"seq":', '"x":1,"seq":'),
    ],
    ["a blank", (text) => text.replace('"result":', '"result": ')],
    ["an escape", (text) => text.replace('"system"', '"s\\u0079stem"')],
    ["another number", (text) => text.replace('"seq":60', '"seq":6.0e1')],
    [
      "another order",
      (text) =>
        text.replace(
          /("userId":"[^"]*"),("resource":"[^"]*")/,
          (_all, user: string, resource: string) => `${resource},${user}`,
        ),
    ],
  ])("such as %s is edited, although its hash fits", (_what, change) => {
    const line = rehashed(THREE[last]!, change);
    expect(line).not.toBe(THREE[last]);
    const lines = TRAIL.with(TRAIL.length - 1, line);
    expect(faultsOf(verify(lines, KEY))).toMatchObject([
      { writer: "3333cccc", what: "edited" },
    ]);
  });
});

describe("the output of one process, after the one before was killed", () => {
  it("may leave out commands that ran before what it prints again, and have many that ran behind it", () => {
    const early = run("cli-early", 5, { stops: true, heads: [headOf(ONE)] });
    const later = Array.from({ length: 50 }, (_, n) =>
      run(`cli-${n}`, 5, { stops: true }),
    );
    const heads = [
      ...later.map(headOf).toReversed(),
      headOf(early),
      headOf(TWO),
      headOf(ONE),
    ].filter(({ writer }) => !/^cli-[4-9]$/.test(writer));
    const resumed = [
      headOf(TWO.slice(0, 26)),
      ...later.slice(0, 39).map((lines) => headOf(lines.slice(0, 1))),
    ];
    const next = run("3333cccc", 20, { heads, resumed });
    const printed = [...TWO.slice(25), ...later.flat(), ...next];
    expect(faultsOf(verify(printed))).toEqual([]);
    expect(faultsOf(verify([...ONE, ...printed]))).toEqual([
      { writer: "2222bbbb", seq: 1, what: "missing" },
    ]);
  });
});

describe("whole writers that were moved in a stream", () => {
  it.each([
    ["the one in the middle behind", [...ONE, ...THREE, ...TWO], "2222bbbb"],
    ["the last one to the front", [...THREE, ...ONE, ...TWO], "1111aaaa"],
  ])("are reordered: %s", (_how, lines, writer) => {
    expect(faultsOf(verify(lines))).toContainEqual({
      writer,
      seq: 1,
      what: "reordered",
    });
    expect(faultsOf(verify(lines, { partial: true }))).toEqual([]);
  });
});

describe("what is stated in a part that is not linked to a checkpoint", () => {
  it("counts for nothing, in several streams in one", () => {
    const partial = { ...KEY, partial: true };
    const heads = [{ writer: "2222bbbb", seq: 30, hash: "a".repeat(64) }];
    const start = unsignedRun("3333cccc", 1, { heads })[0]!;
    const { writers } = verify(
      [...ONE, ...TWO, start, ...THREE.slice(10)],
      partial,
    );
    expect(writers[1]).toMatchObject({ fault: null });
    expect(writers[2]).toMatchObject({ fault: { what: "missing" } });
  });
});

describe("whole writers that were moved in a store", () => {
  it("are reordered, when they come behind a start that names them", () => {
    expect(faultsOf(verifyAsStore(TRAIL, HEADS))).toEqual([]);
    const moved = [...TWO, ...THREE, ...ONE];
    expect(faultsOf(verifyAsStore(moved, HEADS))).toMatchObject([
      { writer: "1111aaaa", seq: 1, what: "reordered" },
    ]);
  });
});

describe("a stream", () => {
  it.each([
    ["journald", "Nov 24 19:36:03 host1 hexhook[123]: [AUDIT] "],
    ["RFC 5424", "<14>1 2026-11-24T19:36:03Z host1 hexhook 7 - - [AUDIT] "],
    ["CRI", "2026-11-24T19:36:03.123456789Z stdout F [AUDIT] "],
    ["a swarm", "hexhook.1.abc@node1    | [AUDIT] "],
    ["colours", "\u001b[36mweb-1  | \u001b[0m[AUDIT] "],
    ["a tab", "2026-11-24T19:36:03Z\t[AUDIT] "],
    ["blanks and a mark of the encoding", "\ufeff  "],
    ["nothing of ours", "web-1 | "],
  ])("may have what %s puts before each line", (_what, before) => {
    const lines = TRAIL.map((line) => `${before}${line}\r`);
    const report = verify(lines, KEY);
    expect(faultsOf(report)).toEqual([]);
    expect(report).toMatchObject({ entries: 190, skipped: 0, torn: 0 });
  });

  it("shows a change of our own prefix too", () => {
    const prefixed = TRAIL.map((line) => `2026-11-24 [AUDIT] ${line}`);
    for (const [from, to] of ["A@", "[{", "  ", "]\u001d"]) {
      const changed = prefixed[70]!.replace(`[AUDIT] `, (all) =>
        all.replace(from!, to!),
      );
      const expected =
        changed === prefixed[70]
          ? []
          : [{ writer: "2222bbbb", seq: 11, what: "edited" }];
      expect(faultsOf(verify(prefixed.with(70, changed)))).toEqual(expected);
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
  ])("may have lines of other programs in it: %s", (other) => {
    const report = verify(TRAIL.flatMap((line) => [other, line]));
    expect(faultsOf(report)).toEqual([]);
    expect(report).toMatchObject({ entries: 190, skipped: 190 });
  });

  it("may have a line that broke off with one of another program behind it", () => {
    const torn = TWO.at(-1)!;
    const other = '{"level":30,"time":"2026","msg":"listening"}';
    for (let length = 20; length < torn.length; length += 1) {
      const broken = torn.slice(0, length);
      for (const behind of [other, `[AUDIT] ${ONE[0]!.slice(0, 9)}`, ""]) {
        const lines = [...TWO.slice(0, -1), broken + behind, ...TWO.slice(-1)];
        expect(faultsOf(verify(lines))).toEqual([]);
      }
    }
  });

  it("takes no time and no memory that grows with what is put into it", () => {
    const blanks = `${" ".repeat(2_000_000)}x${"\u001b[0m".repeat(10_000)}`;
    const purges = new AuditChain("feed", CHECKPOINTS);
    const lines = Array.from(
      { length: 20_000 },
      () =>
        purges.append({
          ...draft(1, { writers: [headOf(ONE)] }),
          action: "retention.purged",
        }).line,
    );
    const { writers, skipped } = verify([blanks, ...lines, ...ONE], KEY);
    expect(skipped).toBe(1);
    expect(writers).toMatchObject([
      { writer: "feed", anchoredTo: 0, entries: 20_000 },
      { writer: "1111aaaa", anchoredTo: 60, fault: null },
    ]);
    const long = new AuditChain("long", CHECKPOINTS);
    const huge = rehashed(long.append(started([])).line, (text) =>
      text.replace('"resource":"', `"resource":"${"r".repeat(8192)}`),
    );
    expect(faultsOf(verify([...ONE, huge]))).toMatchObject([
      { writer: "long", seq: 1, what: "edited" },
    ]);
  });

  it("says which line it was, when nothing can be told of an entry's place", () => {
    const place = ONE[5]!
      .replace(/"seq":\d+/, '"seq":x')
      .replace('"writer":"1111aaaa"', '"writer":"!"');
    const changed = place
      .replace(/"prev":"[0-9a-f]{4}/, '"prev":"ffff')
      .replace(/"hash":"[0-9a-f]{4}/, '"hash":"ffff');
    expect(faultsOf(verify(["other", ...TRAIL, changed]))).toMatchObject([
      { what: "unreadable", line: 192 },
    ]);
  });
});

describe("several containers' lines in one stream", () => {
  const interleaved = (
    a: readonly string[],
    b: readonly string[],
    lag: number,
  ): string[] => {
    const lines: string[] = [];
    for (let n = 0; n < Math.max(a.length, b.length + lag); n += 1) {
      lines.push(...[a[n], b[n - lag]].filter((line) => line !== undefined));
    }
    return lines;
  };
  // The second one begins with its own start, and prints of the first what comes from then on.
  const b = run("bbbb2222", 40, { heads: [headOf(ONE.slice(0, 30))] });
  const other = [
    ...b.slice(0, 2),
    ...interleaved(ONE.slice(30), b.slice(2), 3),
  ];
  const first = [...ONE.slice(0, 30), ...other];

  it.each([
    ["one behind the other", [...first, ...other]],
    ["the later one first", [...other, ...first]],
    ["line by line", interleaved(first, other, 0)],
    ["line by line, one of them behind", interleaved(other, first, 7)],
    ["three times", [...other, ...first, ...other]],
  ])("is intact as a part of the trail: %s", (_how, lines) => {
    const report = verify(lines, { ...KEY, partial: true });
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers.map(({ entries }) => entries).toSorted()).toEqual([
      40, 60,
    ]);
    expect(report.writers.every(({ untold }) => !untold)).toBe(true);
    expect(
      report.writers.every(({ anchoredTo, lastSeq }) => anchoredTo === lastSeq),
    ).toBe(true);
  });

  it("has every entry found that is changed, hashed again, or in none of them", () => {
    const partial = { ...KEY, partial: true };
    for (let n = 35; n < 55; n += 1) {
      const { writer, seq } = parseEntry(ONE[n]!)!.chain;
      const isThis = (line: string): boolean => line === ONE[n];
      const neither = [...first, ...other].filter((line) => !isThis(line));
      expect(faultsOf(verify(neither, partial))).toMatchObject([
        { writer, seq, what: "missing" },
      ]);
      const changed = rehashed(ONE[n]!, (text) =>
        text.replace('"timestamp":"2027', '"timestamp":"2028'),
      );
      const inOne = [
        ...first,
        ...other.map((line) => (isThis(line) ? changed : line)),
      ];
      expect(faultsOf(verify(inOne, partial))).toMatchObject([
        { writer, seq, what: "inserted" },
      ]);
    }
  });

  it("cannot be told, when they are too far apart to be compared", () => {
    const far = run("far", 20_500, { every: 900 });
    const report = verify([...far, ...far.slice(0, 300)], { partial: true });
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers).toMatchObject([{ untold: true }]);
  });
});

describe("the writers that a start names as being at work beside it", () => {
  it("are those that have not stopped, however many commands came after them", async () => {
    const lines = [...TWO];
    const heads: ChainHead[] = [headOf(TWO)];
    for (let n = 0; n < 50; n += 1) {
      const command = run(`cli-${n}`, 5, { stops: true });
      lines.push(...command);
      heads.unshift(headOf(command));
    }
    const rows = lines.map((line, n) => ({
      position: n + 1,
      writer: parseEntry(line)!.chain.writer,
      line,
    }));
    const store = {
      readAudit: async (position: number, limit: number) =>
        rows.slice(position, position + limit),
    };
    expect(await maybeAtWork(store, heads, rows.length)).toEqual([headOf(TWO)]);
  });
});

describe("hexhook audit verify", () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => {});

  const verifyLines = (lines: readonly string[], ...args: string[]) =>
    hexhook(["audit", "verify", "-", ...args], {
      cwd: folder.path,
      input: lines.join("\n"),
    });

  it("says which writers are not in the lines, and what is not signed yet", async () => {
    const { code, stdout } = await verifyLines([...TWO, ...THREE.slice(0, 50)]);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "1 writer that is named here is not in these lines",
    );
    expect(stdout).toContain("1111aaaa up to seq\n    60:");
    expect(stdout).toContain("anchored up to 41, 42 to 50 not signed yet\n");
    expect(stdout.split("\n").every((line) => line.length <= 80)).toBe(true);
  });

  itWithPython(
    "has a progress bar on a terminal, and nowhere else",
    async () => {
      const file = path.join(folder.path, "trail.log");
      writeFileSync(file, run("1111aaaa", 20_000, { every: 900 }).join("\n"));
      const args = ["audit", "verify", "trail.log"];
      const at = { cwd: folder.path };
      const seen = await hexhookOnTerminal(args, at);
      expect(seen.stdout).toMatch(/\r\[#+\.*\] /);
      expect(seen.stdout).toContain("intact: 20000 entries by 1 writer");
      expect(seen.code).toBe(0);
      const piped = await hexhook(args, at);
      expect(piped.stdout).toMatch(/^intact: /);
      expect(piped.stderr).toBe("");
    },
  );

  it("prints nothing that a terminal would act on, also as JSON, and says whether the keys were known", async () => {
    const covered = `{"timestamp":"2026-11-24T19:40:00.000Z","action":"a","userId":"u","resource":"r","result":"success","metadata":{},"chain":{"writer":"\u009b31mX\u2028","seq":1,"prev":"${"0".repeat(64)}"}}`;
    const odd = `${covered.slice(0, -1)},"hash":"${hashLine(covered)}"}`;
    for (const args of [[], ["--json"]]) {
      const { stdout } = await verifyLines([...ONE, odd], ...args);
      expect(stdout).toMatch(/^[\n\x20-\x7e]+$/);
    }
    const json = await verifyLines(ONE, "--json");
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: "intact",
      keysKnown: false,
    });
  });

  it("does not verify with less than it was told to: a key that is no key is a fault of the configuration", async () => {
    const env = {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      DATABASE_URL: "sqlite:hexhook.db",
    };
    const at = { cwd: folder.path };
    await (await startTestService(folder.path)).stop();
    const wrong = { ...env, AUDIT_SIGNING_KEY: "no key" };
    const refused = await hexhook(["audit", "verify"], { ...at, env: wrong });
    expect(refused).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("AUDIT_SIGNING_KEY"),
    });
    writeFileSync(path.join(folder.path, "hexhook.db-audit-key.pem"), "x");
    const damaged = await hexhook(["audit", "verify"], { ...at, env });
    expect(damaged).toMatchObject({ code: 78 });
  });
});

it("a writer that goes on behind its stop is another matter than one that stops late", () => {
  const chain = new AuditChain("w", CHECKPOINTS);
  const lines = [
    chain.append(started([])).line,
    chain.checkpoint(AT)!.line,
    chain.append(STOPPED).line,
  ];
  const late = chain.append(draft(4)).line;
  const end = chain.checkpoint(AT)!.line;
  // What was under way when it stopped may still have come before the checkpoint that ends it.
  expect(faultsOf(verify([...lines, late, end]))).toEqual([]);
  const behind = chain.append(draft(6)).line;
  expect(verify([...lines, late, end, behind]).writers[0]).toMatchObject({
    lastSeq: 6,
    anchoredTo: 5,
  });
});

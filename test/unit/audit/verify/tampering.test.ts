import { describe, expect, it } from "@jest/globals";
import { AuditChain } from "../../../../src/audit/chain.ts";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import type { TrailReport } from "../../../../src/audit/verify/trail-report.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { between, withSeed } from "../../../support/seeded-random.ts";
import {
  AT,
  draft,
  faultsOf,
  headOf,
  OTHER_KEY,
  rehashed,
  run,
  started,
  verify,
  verifyAsStore,
} from "../../../support/trails.ts";

/** 60 entries by two writers, one after the other, as from two runs of a service. */
const ONE = run("1111aaaa", 30, { every: 10 });
const TWO = run("2222bbbb", 30, { every: 10, heads: [headOf(ONE)] });
const TRAIL = [...ONE, ...TWO];
const LAST = TRAIL.length - 1;
const HEADS = [headOf(ONE), headOf(TWO)];
const KEY = { publicKeys: [CHECKPOINTS.publicKey] };

const verifyStore = (lines: readonly string[]): TrailReport =>
  verifyAsStore(lines, HEADS);

/** The index of an entry in the trail, from 0 over both writers. */
function placeOf(at: number): { writer: string; seq: number } {
  const { writer, seq } = parseEntry(TRAIL[at]!)!.chain;
  return { writer, seq };
}

const laterTime = (covered: string): string =>
  covered.replace(/"timestamp":"2027/, '"timestamp":"2028');

/** The trail with one changed entry. All later entries of its writer, and of writers that name it, have new hashes. */
function rehashedFrom(at: number): string[] {
  const now = new Map<string, string>();
  return TRAIL.map((line, n) => {
    if (n < at) {
      return line;
    }
    const changed = rehashed(line, (covered) => {
      let text = n === at ? laterTime(covered) : covered;
      for (const [before, after] of now) {
        text = text.replaceAll(before, after);
      }
      return text;
    });
    now.set(parseEntry(line)!.hash, parseEntry(changed)!.hash);
    return changed;
  });
}

describe("a trail of two writers, one after the other", () => {
  it("is intact and signed to the end of each writer, with and without the prefix, among other lines", () => {
    const report = verify([
      "something else",
      ...TRAIL.map((line, n) => (n % 2 === 0 ? line : `[AUDIT] ${line}`)),
      "",
      '{"level":"info","hash":"abc"}',
    ]);
    expect(report).toMatchObject({ entries: 60, skipped: 3, torn: 0 });
    expect(report.writers).toMatchObject([
      { writer: "1111aaaa", entries: 30, anchoredTo: 30, fault: null },
      { writer: "2222bbbb", entries: 30, anchoredTo: 30, fault: null },
    ]);
    expect(faultsOf(verifyStore(TRAIL))).toEqual([]);
  });

  /** Two short runs, because signatures take most of the time. */
  const first = run("1111aaaa", 6, { stops: true });
  const short = [...first, ...run("2222bbbb", 6, { heads: [headOf(first)] })];
  const shortHeads = [headOf(first), headOf(short)];

  /** The lines with one flipped bit, as a stream and as a store has them. In a store a newline ends no line. */
  function flipped(n: number, at: number, bit: number) {
    const bytes = Buffer.from(`${short[n]!}\n`);
    bytes[at]! ^= 1 << bit;
    const text = bytes.toString("utf8");
    const rest = short.slice(n + 1).join("\n");
    return {
      stream: [...short.slice(0, n), ...(text + rest).split("\n")],
      stored: short.with(n, text.slice(0, -1)),
    };
  }

  const isAttributed = (report: TrailReport, n: number): boolean => {
    const { writer, seq } = parseEntry(short[n]!)!.chain;
    const faults = faultsOf(report);
    return (
      faults.length === 1 &&
      faults[0]?.writer === writer &&
      faults[0].seq === seq
    );
  };

  it("has every flipped byte of an entry detected, and attributed only to its writer and seq", () => {
    const wrong: string[] = [];
    // A start, a checkpoint, an entry between them, the start of the second writer, and the last entry.
    for (const n of [0, 1, 2, first.length, short.length - 1]) {
      // With the newline, except the last one, which belongs to no entry.
      const bytes = short[n]!.length + (n < short.length - 1 ? 1 : 0);
      for (let at = 0; at < bytes; at += 1) {
        // Each bit at some byte: a bit affects the syntax only through the resulting character.
        const { stream } = flipped(n, at, (at + n) % 8);
        if (!isAttributed(verify(stream), n)) {
          wrong.push(`entry ${n}, byte ${at}`);
        }
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  it("has every flipped bit around a hash detected, also one that turns a quote into a digit", () => {
    const wrong: string[] = [];
    // The first entry of each writer: without it a stream may begin in the middle of the writer.
    for (const n of [0, first.length]) {
      const name = short[n]!.lastIndexOf(',"hash":"');
      for (let at = name; at < name + 11; at += 1) {
        for (let bit = 0; bit < 8; bit += 1) {
          if (!isAttributed(verify(flipped(n, at, bit).stream), n)) {
            wrong.push(`entry ${n}, byte ${at}, bit ${bit}`);
          }
        }
      }
    }
    expect(wrong).toEqual([]);
  });

  it("has 200 random flipped bits detected, in a stream and in a store", async () => {
    await withSeed(async (random) => {
      for (let round = 0; round < 200; round += 1) {
        const n = between(random, 0, short.length);
        const at = between(random, 0, short[n]!.length);
        const { stream, stored } = flipped(n, at, between(random, 0, 8));
        const found = [
          isAttributed(verify(stream), n),
          isAttributed(verifyAsStore(stored, shortHeads), n),
        ];
        expect({ n, at, found }).toEqual({ n, at, found: [true, true] });
      }
    });
  });

  it("has every deleted entry detected and named", () => {
    for (let n = 0; n < LAST; n += 1) {
      const lines = TRAIL.toSpliced(n, 1);
      const place = placeOf(n);
      const stored = faultsOf(verifyStore(lines));
      const cut = n === ONE.length - 1;
      const code = cut ? "cut_off" : "missing";
      expect(stored[0]).toEqual({ ...place, code });
      // A stream without the beginning of a writer may begin there.
      const report = verify(lines);
      const isLate = place.seq === 1;
      expect(report.writers.map(({ beginsLate }) => beginsLate)).toEqual(
        HEADS.map(({ writer }) => isLate && writer === place.writer),
      );
      expect(faultsOf(report)).toEqual(isLate ? [] : [{ ...place, code }]);
    }
  });

  it("has its deleted last entry detected with a head, and in a store", () => {
    const cut = TRAIL.slice(0, -1);
    const fault = [{ ...placeOf(LAST), code: "cut_off" }];
    const report = verify(cut);
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers[1]).toMatchObject({ confirmedTo: 0, lastSeq: 29 });
    expect(faultsOf(verify(cut, { heads: HEADS }))).toEqual(fault);
    expect(faultsOf(verify(cut, { anchors: [HEADS] }))).toEqual(fault);
    expect(faultsOf(verifyStore(cut))).toEqual(fault);
  });

  it("has every two swapped entries detected and named", () => {
    for (let n = 0; n < LAST; n += 1) {
      const lines = TRAIL.with(n, TRAIL[n + 1]!).with(n + 1, TRAIL[n]!);
      const expected = { ...placeOf(n), code: "reordered" };
      // A writer's second entry before its first looks like a late beginning until the first one comes.
      expect(faultsOf(verify(lines))[0]).toEqual(expected);
      expect(faultsOf(verifyStore(lines))).toContainEqual(
        placeOf(n).seq === 1 ? { ...expected, code: "missing" } : expected,
      );
    }
  });

  it("has every inserted entry detected, with valid and with wrong links", () => {
    for (let n = 1; n < LAST; n += 1) {
      const { writer, seq } = placeOf(n);
      if (seq === 1) {
        continue;
      }
      const chain = new AuditChain(writer, CHECKPOINTS);
      const before = parseEntry(TRAIL[n - 1]!)!;
      for (const [hash, codes] of [
        ["f".repeat(64), ["unlinked"]],
        [before.hash, ["inserted", "unsigned"]],
      ] as const) {
        chain.rewind({ writer, seq: seq - 1, hash, checkpointSeq: 0 });
        const forged = chain.append(draft(999)).line;
        const [fault] = faultsOf(verify(TRAIL.toSpliced(n, 0, forged)));
        expect(fault).toMatchObject({ writer, seq });
        expect(codes).toContain(fault?.code);
      }
    }
  });

  it("has a single entry with a new hash detected, at this entry or at the next one", () => {
    for (let n = 0; n < TRAIL.length; n += 1) {
      const lines = TRAIL.with(n, rehashed(TRAIL[n]!, laterTime));
      const [fault] = faultsOf(verify(lines));
      const { writer, seq } = placeOf(n);
      expect(fault?.writer).toBe(writer);
      expect([fault?.seq, fault?.from]).toContain(seq);
    }
  });

  it("with new hashes from any entry on is detected at the next checkpoint, with the first suspect entry", () => {
    for (let n = 0; n < TRAIL.length; n += 1) {
      const { writer, seq } = placeOf(n);
      const [fault] = faultsOf(verify(rehashedFrom(n)));
      expect(fault).toMatchObject({ writer, code: "signature_mismatch" });
      expect(fault!.seq).toBeGreaterThanOrEqual(seq);
      expect(fault!.from).toBeLessThanOrEqual(seq);
      expect(fault!.seq - fault!.from!).toBeLessThanOrEqual(10);
    }
  });

  it("signed again with another key is detected with the key, and within one writer without the key", () => {
    const other = run("1111aaaa", 30, { checkpoints: OTHER_KEY });
    expect(faultsOf(verify(other))).toEqual([]);
    expect(verify(other).writers[0]?.publicKey).toBe(OTHER_KEY.publicKey);
    expect(faultsOf(verify(other, KEY))).toMatchObject([
      { seq: 2, code: "foreign_key" },
    ]);
    const chain = new AuditChain("1111aaaa", OTHER_KEY);
    chain.rewind({ ...headOf(ONE.slice(0, 25)), checkpointSeq: 0 });
    const mixed = [...ONE.slice(0, 25), chain.checkpoint(AT)!.line];
    expect(faultsOf(verify(mixed))).toMatchObject([
      { seq: 26, code: "foreign_key" },
    ]);
  });

  it("without its last entries is signed up to a checkpoint, and its end is not confirmed", () => {
    const { writers } = verify(TRAIL.slice(0, 55));
    expect(writers).toMatchObject([
      { lastSeq: 30, anchoredTo: 30, confirmedTo: 30, fault: null },
      { lastSeq: 25, anchoredTo: 21, confirmedTo: 0, fault: null },
    ]);
  });

  it("is detected as another trail by a head with another hash or an unknown writer", () => {
    const head = { writer: "1111aaaa", seq: 30, hash: "0".repeat(64) };
    expect(faultsOf(verify(TRAIL, { heads: [head] }))).toEqual([
      { writer: "1111aaaa", seq: 30, code: "head_mismatch" },
    ]);
    const unknown = { writer: "3333cccc", seq: 7, hash: "0".repeat(64) };
    expect(faultsOf(verify(TRAIL, { heads: [unknown] }))).toEqual([
      { writer: "3333cccc", seq: 1, code: "writer_gone" },
    ]);
  });
});

describe("a trail of two writers at the same time", () => {
  const one = run("1111aaaa", 60);
  const two = run("2222bbbb", 60);
  const both = one.flatMap((line, n) => [line, two[n]!]);

  it("is intact, and a fault of one writer is no fault of the other", () => {
    expect(faultsOf(verify(both))).toEqual([]);
    expect(faultsOf(verify(both.toSpliced(71, 1)))).toEqual([
      { writer: "2222bbbb", seq: 36, code: "missing" },
    ]);
  });
});

describe("a forger who can write everything but has no key", () => {
  /** The chain of a writer without some entries, with new hashes for all others. */
  function without(lines: readonly string[], action: string): string[] {
    const chain = new AuditChain(headOf(lines).writer, CHECKPOINTS);
    return lines.flatMap((line) => {
      const { timestamp, ...entry } = parseEntry(line)!;
      const at = Date.parse(timestamp);
      return entry.action === action
        ? []
        : [chain.append({ ...(entry as unknown as AuditDraft), at }).line];
    });
  }

  it("is detected when checkpoints are removed or too rare", () => {
    expect(faultsOf(verify(without(ONE, "audit.checkpoint")))).toEqual([
      { writer: "1111aaaa", seq: 2, code: "unsigned" },
    ]);
    const chain = new AuditChain("w", CHECKPOINTS);
    const seldom = [chain.append(started([])).line, chain.checkpoint(AT)!.line];
    while (seldom.length < 1003) {
      seldom.push(chain.append(draft(seldom.length)).line);
    }
    expect(faultsOf(verify(seldom.slice(0, 1002)))).toEqual([]);
    expect(faultsOf(verify(seldom))).toEqual([
      { writer: "w", seq: 1003, code: "unsigned" },
    ]);
  });

  it("is detected when the end of an older writer is replaced, because the next start names it", () => {
    const killed = ONE.slice(0, 25);
    const next = run("2222bbbb", 20, { heads: [headOf(killed)] });
    const chain = new AuditChain("1111aaaa", CHECKPOINTS);
    chain.rewind({ ...headOf(killed.slice(0, 22)), checkpointSeq: 21 });
    const anew = Array.from(
      { length: 3 },
      (_, n) => chain.append(draft(n)).line,
    );
    expect(
      faultsOf(verify([...killed.slice(0, 22), ...anew, ...next])),
    ).toEqual([
      { writer: "1111aaaa", seq: 25, code: "head_mismatch", from: 22 },
    ]);
  });

  it("is detected when a complete run between two others is removed", () => {
    const three = run("3333cccc", 20, { heads: [headOf(TWO), headOf(ONE)] });
    expect(faultsOf(verify([...TRAIL, ...three]))).toEqual([]);
    expect(faultsOf(verify([...ONE, ...three]))).toEqual([
      { writer: "2222bbbb", seq: 1, code: "writer_gone" },
    ]);
  });

  it("is detected only with an anchor when the newest run is removed or cut back to a checkpoint", () => {
    const anchors = [headOf(ONE), headOf(TWO.slice(0, 21)), headOf(TWO)];
    for (const lines of [ONE, [...ONE, ...TWO.slice(0, 21)]]) {
      const [head] = [headOf(lines)];
      const table = head.writer === "1111aaaa" ? [head] : [headOf(ONE), head];
      for (const verified of [
        (options: object) => verify(lines, options),
        (options: object) => verifyAsStore(lines, table, options),
      ]) {
        const silent = verified({});
        expect(faultsOf(silent)).toEqual([]);
        expect(silent.writers.at(-1)).toMatchObject({ confirmedTo: 0 });
        expect(faultsOf(verified({ anchors: [anchors] }))).toEqual([
          lines === ONE
            ? { writer: "2222bbbb", seq: 1, code: "writer_gone" }
            : { writer: "2222bbbb", seq: 22, code: "cut_off" },
        ]);
      }
    }
  });

  it("is detected when lines without an entry are inserted into a store", () => {
    const { chain, hash, ...rest } = parseEntry(ONE[5]!)!;
    expect([chain.seq, hash.length]).toEqual([6, 64]);
    for (const line of [JSON.stringify(rest), "hello", ""]) {
      const lines = TRAIL.toSpliced(5, 0, line);
      expect(faultsOf(verifyStore(lines))).not.toEqual([]);
    }
    // A stream contains other lines. A line without a place in the chain counts as one of them.
    const shaped = verify(ONE.toSpliced(5, 0, JSON.stringify(rest)));
    expect(shaped).toMatchObject({ entries: 30, skipped: 1 });
    expect(faultsOf(shaped)).toEqual([]);
  });

  it("is detected when the signed time of a checkpoint is changed, also without the writer's start", () => {
    const at = ONE.length - 1;
    const lax = rehashed(ONE[at]!, (covered) =>
      covered
        .replace(/"timestampSignature":"[^"]*",/, "")
        .replace('"timestamp":"2027', '"timestamp":"2026'),
    );
    expect(lax).not.toBe(ONE[at]);
    for (const from of [0, 15]) {
      expect(faultsOf(verify([...ONE.slice(from, at), lax]))).toMatchObject([
        { writer: "1111aaaa", seq: 30, code: "signature_mismatch" },
      ]);
    }
  });

  it("is detected in a store when a writer has no head there", () => {
    const other = run("9999ffff", 20);
    expect(faultsOf(verifyStore([...TRAIL, ...other]))).toEqual([
      { writer: "9999ffff", seq: 20, code: "unknown_writer" },
    ]);
  });
});

describe("an entry in another encoding", () => {
  it.each<[string, (covered: string) => string]>([
    [
      "a duplicate member",
      (text) =>
        text.replace(
          '{"timestamp":',
          '{"timestamp":"1999-01-01T00:00:00.000Z","timestamp":',
        ),
    ],
    [
      "an additional member",
      (text) => text.replace(',"action":', ',"note":"","action":'),
    ],
    [
      "an additional member in the chain",
      (text) => text.replace('"seq":', '"x":1,"seq":'),
    ],
    ["a space", (text) => text.replace('"result":', '"result": ')],
    ["an escape", (text) => text.replace('"system"', '"s\\u0079stem"')],
    ["another number", (text) => text.replace('"seq":30', '"seq":3.0e1')],
    [
      "another order",
      (text) =>
        text.replace(
          /("userId":"[^"]*"),("resource":"[^"]*")/,
          (_all, user: string, resource: string) => `${resource},${user}`,
        ),
    ],
    [
      "a line over the limit",
      (text) => text.replace('"resource":"', `"resource":"${"r".repeat(8192)}`),
    ],
  ])(
    "is reported as edited although its hash is valid: %s",
    (_what, change) => {
      const line = rehashed(TRAIL[LAST]!, change);
      expect(line).not.toBe(TRAIL[LAST]);
      expect(faultsOf(verify(TRAIL.with(LAST, line), KEY))).toMatchObject([
        { writer: "2222bbbb", seq: 30, code: "edited" },
      ]);
    },
  );
});

describe("forged entries after the last checkpoint", () => {
  it("with values of wrong types do not make the verifier fail", () => {
    const chain = new AuditChain("1111aaaa", CHECKPOINTS);
    chain.rewind({ ...headOf(ONE), checkpointSeq: 30 });
    const odd = [
      { heads: [null, 7, { writer: 3 }], writers: [null], before: {} },
      { heads: "x", writers: {}, publicKey: {}, receivedBefore: "x" },
    ];
    const lines = odd.flatMap((metadata) => [
      chain.append({ ...draft(1, metadata), action: "server.started" }).line,
      chain.append({ ...draft(1, metadata), action: "retention.purged" }).line,
      chain.append({ ...draft(1, metadata), action: "audit.checkpoint" }).line,
    ]);
    expect(faultsOf(verify([...ONE, ...lines]))).toMatchObject([
      { seq: 33, code: "signature_mismatch" },
    ]);
  });
});

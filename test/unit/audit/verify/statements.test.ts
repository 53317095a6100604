import { describe, expect, it } from "@jest/globals";
import { AuditChain, type ChainHead } from "../../../../src/audit/chain.ts";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { createTrailVerifier } from "../../../../src/audit/verify/verify-trail.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import {
  AT,
  draft,
  faultsOf,
  headOf,
  run,
  started,
  STOPPED,
  verify,
  verifyAsStore,
} from "../../../support/trails.ts";

const ONE = run("1111aaaa", 60, { stops: true });
/** The run was killed. */
const TWO = run("2222bbbb", 100, { heads: [headOf(ONE)] }).slice(0, 70);
const THREE = run("3333cccc", 60, { heads: [headOf(TWO), headOf(ONE)] });
const TRAIL = [...ONE, ...TWO, ...THREE];
const HEADS = [headOf(THREE), headOf(TWO), headOf(ONE)];
const KEY = { publicKeys: [CHECKPOINTS.publicKey] };

/** An entry that an attacker without a key can make: its links and hash are valid, but no signature covers it. */
function forged(after: readonly string[], entry: Partial<AuditDraft>): string {
  const chain = new AuditChain(headOf(after).writer, CHECKPOINTS);
  chain.rewind({ ...headOf(after), checkpointSeq: 0 });
  return chain.append({ ...draft(1), ...entry }).line;
}

/** The first entries of a writer, without a signature. */
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

describe("the end of a writer that was killed", () => {
  it("is signed and confirmed by the checkpoint of the next writer, whose start names it", () => {
    const report = verify(TRAIL);
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers).toMatchObject([
      { lastSeq: 60, anchoredTo: 60, confirmedTo: 60, ended: true },
      { lastSeq: 70, anchoredTo: 70, confirmedTo: 70, ended: false },
      { lastSeq: 60, anchoredTo: 60, confirmedTo: 0 },
    ]);
  });

  it("is not confirmed by an unsigned start", () => {
    const claim = unsignedRun("feed", 1, { heads: [headOf(TWO)] });
    const { writers } = verify([...ONE, ...TWO, ...claim]);
    expect(writers[1]).toMatchObject({ anchoredTo: 41, confirmedTo: 0 });
  });
});

describe("an entry that no signature covers", () => {
  it("causes no fault of a writer whose entries are signed", () => {
    for (const seq of [60, 9999]) {
      const heads = [{ writer: "1111aaaa", seq, hash: "a".repeat(64) }];
      const report = verify(
        [...TRAIL, ...unsignedRun("feed", 2, { heads })],
        KEY,
      );
      expect(faultsOf(report)).toEqual([]);
      expect(report.writers.at(-1)).toMatchObject({
        writer: "feed",
        anchoredTo: 0,
      });
    }
  });

  it("is reported as inserted if its writer has ended", () => {
    const after = forged(ONE, {});
    const fault = [{ writer: "1111aaaa", seq: 61, code: "inserted" }];
    expect(faultsOf(verify([...TRAIL, after], KEY))).toEqual(fault);
    expect(faultsOf(verify(TRAIL.toSpliced(60, 0, after), KEY))).toEqual(fault);
    const table = [...HEADS.slice(0, 2), headOf([after])];
    expect(faultsOf(verifyAsStore([...TRAIL, after], table))).toEqual(fault);
    // The end of a killed writer is unknown, so entries after its last signed one are reported as not signed.
    const loose = verify([...TRAIL, forged(TWO, {})], KEY);
    expect(loose.writers[1]).toMatchObject({ lastSeq: 71, anchoredTo: 70 });
  });

  it("may come between a stop and the checkpoint with which the writer ends", () => {
    const chain = new AuditChain("w", CHECKPOINTS);
    const lines = [
      chain.append(started([])).line,
      chain.checkpoint(AT)!.line,
      chain.append(STOPPED).line,
      chain.append(draft(4)).line,
      chain.checkpoint(AT)!.line,
    ];
    expect(faultsOf(verify(lines))).toEqual([]);
    expect(
      verify([...lines, chain.append(draft(6)).line]).writers[0],
    ).toMatchObject({ lastSeq: 6, anchoredTo: 5, ended: false });
  });
});

describe("a flood of unsigned statements", () => {
  it("drops signed statements only with a report", () => {
    const flood = unsignedRun("feed", 1);
    const chain = new AuditChain("feed", CHECKPOINTS);
    chain.rewind({ ...headOf(flood), checkpointSeq: 0 });
    while (flood.length < 2100) {
      const action = "retention.purged";
      flood.push(chain.append({ ...draft(1), action }).line);
    }
    const [start, ...rest] = THREE;
    // The writer in the middle is missing. The flood comes between the start that names it and that start's checkpoint.
    const lines = [...ONE, ...flood, start!, ...rest];
    expect(verify(lines).hasDroppedStatements).toBe(true);
    const before = verify([...ONE, start!, ...flood, ...rest]);
    expect(before.hasDroppedStatements).toBe(true);
    expect(faultsOf(before)).toContainEqual({
      writer: "2222bbbb",
      seq: 1,
      code: "writer_gone",
    });
    expect(verify(TRAIL).hasDroppedStatements).toBe(false);
  });
});

describe("a writer that begins in the middle", () => {
  it("makes a stream undecidable, and the report has the first seq", () => {
    const report = verify([...TWO.slice(25), ...THREE], KEY);
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers).toMatchObject([
      { writer: "2222bbbb", firstSeq: 26, lastSeq: 70, beginsLate: true },
      { writer: "3333cccc", firstSeq: 1, beginsLate: false },
    ]);
    expect(report.absent).toMatchObject([{ writer: "1111aaaa", seq: 60 }]);
    const gap = verify([...TWO.slice(25).toSpliced(10, 1), ...THREE], KEY);
    expect(faultsOf(gap)).toMatchObject([{ seq: 36, code: "missing" }]);
  });

  it("is a fault in a store, and none of its entries count as signed", () => {
    const report = verifyAsStore(
      [...TRAIL.slice(0, 60), ...TWO.slice(25), ...THREE],
      HEADS,
    );
    expect(faultsOf(report)).toEqual([
      { writer: "2222bbbb", seq: 1, code: "missing" },
    ]);
    expect(report.writers[1]).toMatchObject({ anchoredTo: 0 });
  });

  it("is accepted for a process on the same store that began before these lines", () => {
    const own = run("2222bbbb", 10, { heads: [headOf(ONE.slice(0, 30))] });
    const report = verify([...own, ...ONE.slice(30)]);
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers[1]).toMatchObject({ firstSeq: 31, beginsLate: true });
  });
});

describe("complete writers that were moved", () => {
  it.each([
    [
      "the one in the middle to the end",
      [...ONE, ...THREE, ...TWO],
      "2222bbbb",
    ],
    ["the last one to the front", [...THREE, ...ONE, ...TWO], "1111aaaa"],
  ])("are reordered: %s", (_how, lines, writer) => {
    const fault = { writer, seq: 1, code: "reordered" };
    expect(faultsOf(verify(lines))).toContainEqual(fault);
    expect(faultsOf(verifyAsStore(lines, HEADS))).toContainEqual(fault);
  });
});

describe("a deletion by the retention", () => {
  /** A writer with a signed entry that names what was deleted. */
  function purged(
    gone: readonly string[],
    between: readonly AuditDraft[] = [],
  ): string[] {
    const chain = new AuditChain("9999ffff", CHECKPOINTS);
    const before = new Date(AT + 1000).toISOString();
    const entry: AuditDraft = {
      ...draft(1),
      action: "retention.purged",
      resource: "/audit",
      metadata: { writers: [headOf(gone)], before },
    };
    return [
      chain.append(started([])).line,
      chain.checkpoint(AT)!.line,
      ...[entry, ...between].map((one) => chain.append(one).line),
      chain.checkpoint(AT)!.line,
    ];
  }

  const at = 40;
  const rest = ONE.slice(at);

  it("explains the missing beginning of a writer, in a stream and in a store", () => {
    // The remaining entries begin with a checkpoint.
    expect(parseEntry(ONE[at]!)!.action).toBe("audit.checkpoint");
    // The signature covers the statement even with other entries between them.
    for (const between of [[], [draft(1), draft(2)]]) {
      const lines = [...rest, ...purged(ONE.slice(0, at), between)];
      const table = [headOf(lines), headOf(ONE)];
      for (const report of [verify(lines, KEY), verifyAsStore(lines, table)]) {
        expect(faultsOf(report)).toEqual([]);
        expect(report.writers[0]).toMatchObject({ beginsLate: false });
      }
    }
  });

  it("explains no replaced entry and no other gap", () => {
    const lines = [...rest, ...purged(ONE.slice(0, at))];
    const table = [headOf(lines), headOf(ONE)];
    const invented = unsignedRun("1111aaaa", 3);
    expect(faultsOf(verifyAsStore([...invented, ...lines], table))).toEqual([
      { writer: "1111aaaa", seq: 4, code: "missing" },
    ]);
    const further = [...ONE.slice(at + 1), ...purged(ONE.slice(0, at))];
    expect(faultsOf(verifyAsStore(further, table))).toEqual([
      { writer: "1111aaaa", seq: 1, code: "missing" },
    ]);
  });

  it("is not accepted without a signature", () => {
    const unsigned = purged(ONE.slice(0, at)).slice(0, -1);
    const table = [headOf(unsigned), headOf(ONE)];
    expect(faultsOf(verifyAsStore([...rest, ...unsigned], table))).toEqual([
      { writer: "1111aaaa", seq: 1, code: "missing" },
    ]);
    expect(verify([...rest, ...unsigned]).writers[0]).toMatchObject({
      beginsLate: true,
    });
  });

  it("is not accepted when only the start of another writer covers its entry", () => {
    const unsigned = purged(ONE.slice(0, at)).slice(0, -1);
    const next = run("7777eeee", 5, { heads: [headOf(unsigned)] });
    const table = [headOf(next), headOf(unsigned), headOf(ONE)];
    const lines = [...rest, ...unsigned, ...next];
    expect(faultsOf(verifyAsStore(lines, table))).toEqual([
      { writer: "1111aaaa", seq: 1, code: "missing" },
    ]);
  });

  it("makes an earlier head unknown, unless the head has another hash", () => {
    const lines = [...TWO, ...purged(ONE)];
    const old = headOf(ONE.slice(0, 20));
    const last = headOf(ONE);
    const report = verify(lines, { heads: [old, last] });
    expect(faultsOf(report)).toEqual([]);
    expect(report.unknownHeads).toEqual([old]);
    const wrong = { ...last, hash: "b".repeat(64) };
    expect(faultsOf(verify(lines, { heads: [wrong] }))).toEqual([
      { writer: "1111aaaa", seq: 60, code: "head_mismatch" },
    ]);
  });

  it("names the times before which entries and events are deleted, once it is signed", () => {
    const events: AuditDraft = {
      ...draft(1),
      action: "retention.purged",
      resource: "/events",
      metadata: { receivedBefore: new Date(AT + 5000).toISOString() },
    };
    const verifier = createTrailVerifier();
    const lines = purged(ONE, [events]);
    lines.slice(0, -1).forEach(verifier.line);
    expect(verifier.deletedBefore).toEqual({ entries: 0, events: 0 });
    verifier.line(lines.at(-1)!);
    expect(verifier.deletedBefore).toEqual({
      entries: AT + 1000,
      events: AT + 5000,
    });
  });
});

describe("given heads", () => {
  it("must all match, even if two name the same entry", () => {
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

  it("confirm the entries up to them", () => {
    const heads = [headOf(THREE.slice(0, 30)), headOf(THREE.slice(0, 20))];
    expect(verify(TRAIL, { heads }).writers[2]).toMatchObject({
      confirmedTo: 30,
      lastSeq: 60,
    });
  });
});

describe("anchors", () => {
  const anchorsOf = (lines: readonly string[]): ChainHead[] =>
    lines
      .map((line) => headOf([line]))
      .filter((_, n) => parseEntry(lines[n]!)!.action === "audit.checkpoint");
  const anchors = anchorsOf(TRAIL);

  it("confirm each writer up to its last one", () => {
    for (const report of [
      verify(TRAIL, { anchors: [anchors] }),
      verifyAsStore(TRAIL, HEADS, { anchors: [anchors] }),
    ]) {
      expect(faultsOf(report)).toEqual([]);
      expect(report.writers).toMatchObject([
        { confirmedTo: 60 },
        { confirmedTo: 70 },
        { confirmedTo: 60 },
      ]);
    }
  });

  it("show a replaced trail if they differ from it", () => {
    const other = { ...anchors[3]!, hash: "a".repeat(64) };
    expect(faultsOf(verify(TRAIL, { anchors: [[other]] }))).toMatchObject([
      { writer: other.writer, seq: other.seq },
    ]);
  });

  it("may be older than a stream, but later ones must be in it", () => {
    const report = verify([...TWO, ...THREE], { anchors: [anchors] });
    expect(faultsOf(report)).toEqual([]);
    expect(report.unknownHeads).toEqual([]);
    expect(faultsOf(verify(ONE, { anchors: [anchors] }))).toEqual([
      { writer: "2222bbbb", seq: 1, code: "writer_gone" },
      { writer: "3333cccc", seq: 1, code: "writer_gone" },
    ]);
    expect(
      faultsOf(verify(run("other", 5), { anchors: [anchors] })),
    ).toHaveLength(3);
  });

  it("of a store are checked for each file separately, in any order of the files", () => {
    const chain = new AuditChain("9999ffff", CHECKPOINTS);
    const lines = [
      chain.append(started([])).line,
      chain.checkpoint(AT)!.line,
      chain.append({
        ...draft(1),
        action: "retention.purged",
        metadata: { writers: [headOf(ONE)] },
      }).line,
      chain.checkpoint(AT)!.line,
    ];
    const older = anchorsOf(ONE);
    const newer = [headOf(run("dropped", 20))];
    for (const files of [
      [older, newer],
      [newer, older],
    ]) {
      const report = verifyAsStore(lines, [headOf(lines)], { anchors: files });
      expect(faultsOf(report)).toEqual([
        { writer: "dropped", seq: 1, code: "writer_gone" },
      ]);
    }
  });

  it("of a store may be missing only up to the last one that the retention has deleted", () => {
    const chain = new AuditChain("9999ffff", CHECKPOINTS);
    const three = run("3333cccc", 60, { heads: [headOf(TWO)] });
    const all = anchorsOf([...ONE, ...TWO, ...three]);
    const lines = [
      ...three,
      chain.append(started([headOf(three)])).line,
      chain.checkpoint(AT)!.line,
      chain.append({
        ...draft(1),
        action: "retention.purged",
        metadata: { writers: [headOf(TWO)] },
      }).line,
      chain.checkpoint(AT)!.line,
    ];
    const table = [headOf(lines), headOf(three)];
    // No entry names the first writer any more.
    expect(faultsOf(verifyAsStore(lines, table, { anchors: [all] }))).toEqual(
      [],
    );
    const dropped = [headOf(run("dropped", 20))];
    expect(
      faultsOf(
        verifyAsStore(lines, table, { anchors: [[...all, ...dropped]] }),
      ),
    ).toEqual([{ writer: "dropped", seq: 1, code: "writer_gone" }]);
  });
});

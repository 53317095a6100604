import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { inProject, ROOT } from "../../../support/project.ts";
import type { TrailReport } from "../../../../src/audit/verify/trail-report.ts";
import { AuditChain } from "../../../../src/audit/chain.ts";
import type { AuditDraft } from "../../../../src/audit/entry.ts";
import { parseEntry } from "../../../../src/audit/parsed-entry.ts";
import { CHECKPOINTS } from "../../../support/fixtures.ts";
import { temporaryFolder } from "../../../support/temporary-folder.ts";
import { hexhook, describeWithPython } from "../../../support/processes.ts";
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

/** 300 entries over two writers, one after the other, as two runs of a service leave them. */
const ONE = run("1111aaaa", 150);
const TWO = run("2222bbbb", 150, { heads: [headOf(ONE)] });
const TRAIL = [...ONE, ...TWO];
const HEADS = [headOf(ONE), headOf(TWO)];

const verifyStore = (lines: readonly string[]): TrailReport =>
  verifyAsStore(lines, HEADS);

/** Where an entry of the trail is, counted over both writers from 0. */
function placeOf(at: number): { writer: string; seq: number } {
  const { writer, seq } = parseEntry(TRAIL[at]!)!.chain;
  return { writer, seq };
}

const without = (at: number): string[] => TRAIL.filter((_, n) => n !== at);

/** The trail with one entry changed, and everything behind it of its writer, and of those that name it, hashed again. */
function rehashedFrom(
  at: number,
  change: (covered: string) => string,
): string[] {
  const now = new Map<string, string>();
  return TRAIL.map((line, n) => {
    if (n < at) {
      return line;
    }
    const changed = rehashed(line, (covered) => {
      let text = n === at ? change(covered) : covered;
      for (const [before, after] of now) {
        text = text.replaceAll(before, after);
      }
      return text;
    });
    now.set(parseEntry(line)!.hash, parseEntry(changed)!.hash);
    return changed;
  });
}

const laterTime = (covered: string): string =>
  covered.replace(/"timestamp":"2027/, '"timestamp":"2028');

describe("a trail of 300 entries over two writers", () => {
  it("is intact as it is, anchored to the end of each, with and without the prefix, beside other lines", () => {
    const report = verify([
      "something else",
      ...TRAIL.map((line, n) => (n % 2 === 0 ? line : `[AUDIT] ${line}`)),
      "",
      '{"level":"info","hash":"abc"}',
    ]);
    expect(report).toMatchObject({ entries: 300, skipped: 3, torn: 0 });
    expect(report.writers).toMatchObject([
      { writer: "1111aaaa", entries: 150, anchoredTo: 150, fault: null },
      { writer: "2222bbbb", entries: 150, anchoredTo: 150, fault: null },
    ]);
    expect(faultsOf(verifyStore(TRAIL))).toEqual([]);
  });

  it("may have what log collectors put before a line", () => {
    const collected = TRAIL.map(
      (line) => `web-1  | 2026-11-23T18:00:00.123456789Z [AUDIT] ${line}`,
    );
    expect(verify(collected)).toMatchObject({ entries: 300, skipped: 0 });
    expect(faultsOf(verify(collected))).toEqual([]);
  });

  it("has every flipped byte found, and put down to the right writer and seq", () => {
    const text = `${TRAIL.join("\n")}\n`;
    const bytes = Buffer.from(text);
    const wrong: string[] = [];
    // Each byte once; each bit of it somewhere, since a bit matters to the syntax only by the character it makes.
    let start = 0;
    TRAIL.forEach((line, n) => {
      const place = placeOf(n);
      const from = Math.max(0, n - 2);
      const before = TRAIL.slice(from, n);
      for (let i = 0; i <= line.length; i += 1) {
        const flipped = Buffer.from(
          bytes.subarray(start, start + line.length + 1),
        );
        flipped[i]! ^= 1 << ((i + n) % 8);
        const near = `${flipped.toString("utf8")}${TRAIL.slice(n + 1, n + 3).join("\n")}`;
        const report = verifyAround(from, [...before, ...near.split("\n")]);
        const found = faultsOf(report).some(
          ({ writer, seq }) => writer === place.writer && seq === place.seq,
        );
        if (!found) {
          wrong.push(`${n}:${i} ${JSON.stringify(faultsOf(report))}`);
        }
      }
      start += line.length + 1;
    });
    expect(wrong.slice(0, 5)).toEqual([]);
  });

  it("has a flipped byte of each line put down to nobody else", () => {
    TRAIL.forEach((line, n) => {
      const at = (n * 37) % line.length;
      const flipped = Buffer.from(line);
      flipped[at]! ^= 1 << (n % 8);
      const lines = TRAIL.with(n, flipped.toString("utf8"));
      // Another line end, where that is what the character has become.
      const report = verify(lines.join("\n").split("\n"));
      expect(faultsOf(report)).toMatchObject([placeOf(n)]);
    });
  });

  /** Verifies a few lines from the middle: what comes before the first of each writer is not held against them. */
  function verifyAround(from: number, lines: readonly string[]): TrailReport {
    return verify(lines, { partial: from > 0 && placeOf(from).seq > 1 });
  }

  it("has every deleted entry found, and named", () => {
    for (let n = 0; n < TRAIL.length - 1; n += 1) {
      const [fault] = faultsOf(verify(without(n)));
      const cut = n === ONE.length - 1;
      expect(fault).toEqual({
        ...placeOf(n),
        what: cut ? "cut off" : "missing",
      });
      expect(faultsOf(verifyStore(without(n)))[0]).toEqual(fault);
    }
    // The very last one: nothing in the lines tells, the head does.
    const cut = without(299);
    expect(faultsOf(verify(cut))).toEqual([]);
    expect(faultsOf(verify(cut, { heads: HEADS }))).toEqual([
      { ...placeOf(299), what: "cut off" },
    ]);
    expect(faultsOf(verifyStore(cut))).toEqual([
      { ...placeOf(299), what: "cut off" },
    ]);
  });

  it("has every doubled entry found, and named", () => {
    for (let n = 0; n < TRAIL.length; n += 1) {
      for (const to of [n, Math.min(n + 7, 299)]) {
        const lines = TRAIL.toSpliced(to + 1, 0, TRAIL[n]!);
        const expected = [{ ...placeOf(n), what: "doubled" }];
        expect(faultsOf(verify(lines))).toEqual(expected);
        expect(faultsOf(verifyStore(lines))).toEqual(expected);
      }
    }
  });

  it("has every two swapped entries found, and named", () => {
    for (let n = 0; n < TRAIL.length - 1; n += 1) {
      const lines = TRAIL.with(n, TRAIL[n + 1]!).with(n + 1, TRAIL[n]!);
      expect(faultsOf(verify(lines))[0]).toEqual({
        ...placeOf(n),
        what: "reordered",
      });
    }
  });

  it("has every inserted entry found, whether it is linked well or not", () => {
    for (let n = 1; n < TRAIL.length - 1; n += 1) {
      const { writer, seq } = placeOf(n);
      const chain = new AuditChain(writer, CHECKPOINTS);
      const before = parseEntry(TRAIL[n - 1]!)!;
      const prevs = ["f".repeat(64), before.hash];
      for (const hash of seq === 1 ? [] : prevs) {
        chain.rewind({ writer, seq: seq - 1, hash, checkpointSeq: 0 });
        const forged = chain.append(draft(999)).line;
        const lines = TRAIL.toSpliced(n, 0, forged);
        expect(faultsOf(verify(lines))[0]).toEqual({
          writer,
          seq,
          what: "inserted",
        });
      }
    }
  });

  it("has an entry that alone was changed and hashed again found, and named", () => {
    for (let n = 0; n < TRAIL.length; n += 1) {
      const lines = TRAIL.with(n, rehashed(TRAIL[n]!, laterTime));
      const [fault] = faultsOf(verify(lines));
      const { writer, seq } = placeOf(n);
      expect(fault?.writer).toBe(writer);
      // One in front of a checkpoint may show at the checkpoint.
      expect([seq, seq + 1]).toContain(fault?.seq);
    }
  });

  it("hashed again from any entry on without the key is found at the next checkpoint, which says from where on", () => {
    for (let n = 0; n < TRAIL.length; n += 1) {
      const lines = rehashedFrom(n, laterTime);
      const { writer, seq } = placeOf(n);
      const [fault] = faultsOf(verify(lines));
      expect(fault).toMatchObject({
        writer,
        what: "re-hashed but not re-signed",
      });
      expect(fault!.seq).toBeGreaterThanOrEqual(seq);
      expect(fault!.from).toBeLessThanOrEqual(seq);
      expect(fault!.seq - fault!.from!).toBeLessThanOrEqual(40);
    }
  });

  it("hashed and signed again with another key is found by the key, and within one writer without it", () => {
    const other = run("1111aaaa", 150, { checkpoints: OTHER_KEY });
    expect(faultsOf(verify(other))).toEqual([]);
    expect(verify(other).writers[0]?.publicKey).toBe(OTHER_KEY.publicKey);
    expect(
      faultsOf(verify(other, { publicKeys: [CHECKPOINTS.publicKey] })),
    ).toMatchObject([{ seq: 2, what: "signed with another key" }]);

    const chain = new AuditChain("1111aaaa", OTHER_KEY);
    chain.rewind({ ...headOf(ONE.slice(0, 100)), checkpointSeq: 0 });
    const mixed = [...ONE.slice(0, 100), chain.checkpoint(AT)!.line];
    expect(faultsOf(verify(mixed))).toMatchObject([
      { seq: 101, what: "signed with another key" },
    ]);
  });

  it("that lost its tail says up to where it is anchored", () => {
    const { writers } = verify(TRAIL.slice(0, 290));
    expect(writers[1]).toMatchObject({
      lastSeq: 140,
      anchoredTo: 121,
      fault: null,
    });
  });

  it("is found to be another one by a head that has another hash", () => {
    const head = { writer: "1111aaaa", seq: 150, hash: "0".repeat(64) };
    expect(faultsOf(verify(TRAIL, { heads: [head] }))).toEqual([
      { writer: "1111aaaa", seq: 150, what: "edited" },
    ]);
    const unknown = { writer: "3333cccc", seq: 7, hash: "0".repeat(64) };
    expect(faultsOf(verify(TRAIL, { heads: [unknown] }))).toEqual([
      { writer: "3333cccc", seq: 1, what: "gone with all its entries" },
    ]);
  });
});

describe("a trail of two writers at once", () => {
  const one = run("1111aaaa", 90);
  const two = run("2222bbbb", 90);
  const both = one.flatMap((line, n) => [line, two[n]!]);

  it("is intact, and what is wrong with one is no fault of the other", () => {
    expect(faultsOf(verify(both))).toEqual([]);
    expect(faultsOf(verify(both.toSpliced(101, 1)))).toEqual([
      { writer: "2222bbbb", seq: 51, what: "missing" },
    ]);
  });
});

describe("the end of a writer that was killed", () => {
  it("is anchored by the checkpoint of the next one, which names it", () => {
    const killed = run("1111aaaa", 100).slice(0, 60);
    const next = run("2222bbbb", 10, { heads: [headOf(killed)] });
    const report = verify([...killed, ...next]);
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers[0]).toMatchObject({ lastSeq: 60, anchoredTo: 60 });
  });

  it("may be printed twice, and be torn, when the next start says so", () => {
    const killed = run("1111aaaa", 100).slice(0, 60);
    const torn = killed[59]!.slice(0, 100);
    const printed = [...killed.slice(0, 59), torn + killed[55]!];
    const again = killed.slice(56);
    const heads = [headOf(killed)];
    const silent = run("2222bbbb", 10, { heads });
    const telling = run("2222bbbb", 10, {
      heads,
      resumed: [headOf(killed.slice(0, 56))],
    });

    const told = verify([...printed, ...again, ...telling]);
    expect(faultsOf(told)).toEqual([]);
    expect(told).toMatchObject({ torn: 1 });
    expect(faultsOf(verify([...printed, ...again, ...silent]))).toEqual([
      { writer: "1111aaaa", seq: 56, what: "doubled" },
    ]);
    // What the start does not speak of is a fault all the same, and so is a second one that is not the first.
    expect(
      faultsOf(verify([...printed, ...again, killed[50]!, ...telling])),
    ).toEqual([{ writer: "1111aaaa", seq: 51, what: "doubled" }]);
    const edited = rehashed(killed[57]!, laterTime);
    expect(
      faultsOf(verify([...printed, ...again, edited, ...telling]))[0],
    ).toEqual({ writer: "1111aaaa", seq: 58, what: "inserted" });
  });
});

describe("the output of a new container", () => {
  it("may begin with what the one before left to it, at the entry that its start names and at no other", () => {
    const killed = run("1111aaaa", 100).slice(0, 60);
    const next = run("2222bbbb", 10, {
      heads: [headOf(killed)],
      resumed: [headOf(killed.slice(0, 56))],
    });
    expect(faultsOf(verify([...killed.slice(55), ...next]))).toEqual([]);
    expect(faultsOf(verify([...killed.slice(56), ...next]))).toEqual([
      { writer: "1111aaaa", seq: 1, what: "missing" },
    ]);
  });
});

describe("the output of a process beside another one", () => {
  it("may begin with the next entry of that one, and with no later one", () => {
    const other = run("1111aaaa", 100);
    const own = run("2222bbbb", 10, { heads: [headOf(other.slice(0, 50))] });
    expect(faultsOf(verify([...own, ...other.slice(50)]))).toEqual([]);
    expect(faultsOf(verify([...own, ...other.slice(51)]))).toMatchObject([
      { writer: "1111aaaa", seq: 1, what: "missing" },
    ]);
    const [first, ...rest] = other.slice(50);
    expect(faultsOf(verify([...own, first!, first!, ...rest]))).toMatchObject([
      { writer: "1111aaaa", seq: 51, what: "doubled" },
    ]);
  });
});

describe("a part of a trail", () => {
  it("begins late only when that is said", () => {
    const part = TRAIL.slice(45);
    expect(faultsOf(verify(part))).toEqual([
      { writer: "1111aaaa", seq: 1, what: "missing" },
    ]);
    const report = verify(part, { partial: true });
    expect(faultsOf(report)).toEqual([]);
    expect(report.writers[0]).toMatchObject({ firstSeq: 46, lastSeq: 150 });
    expect(
      faultsOf(verify(part.toSpliced(10, 1), { partial: true })),
    ).toMatchObject([{ seq: 56, what: "missing" }]);
  });

  it("cannot tell of a head that lies before it", () => {
    const head = { writer: "1111aaaa", seq: 3, hash: "0".repeat(64) };
    const report = verify(TRAIL.slice(45), { partial: true, heads: [head] });
    expect(report.untold).toEqual([head]);
  });
});

describe("a forger without the key who may write everything", () => {
  /** The chain of a writer with some entries left out and others changed, hashed again from the first to the last. */
  function rewritten(
    lines: readonly string[],
    change: (entry: Record<string, unknown>) => object | null,
  ): string[] {
    const chain = new AuditChain(headOf(lines).writer, CHECKPOINTS);
    return lines.flatMap((line) => {
      const {
        timestamp,
        chain: link,
        hash,
        ...entry
      } = JSON.parse(line) as Record<string, unknown>;
      expect([link, hash]).not.toContain(undefined);
      const changed = change(entry);
      return changed === null
        ? []
        : [
            chain.append({
              at: Date.parse(String(timestamp)),
              ...(changed as Omit<AuditDraft, "at">),
            }).line,
          ];
    });
  }

  it("is found when the checkpoints are left out, or come too seldom", () => {
    const unsigned = rewritten(ONE, (entry) =>
      entry["action"] === "audit.checkpoint" ? null : entry,
    );
    expect(faultsOf(verify(unsigned))).toEqual([
      { writer: "1111aaaa", seq: 2, what: "not signed" },
    ]);
    const chain = new AuditChain("w", CHECKPOINTS);
    const seldom = [chain.append(started([])).line, chain.checkpoint(AT)!.line];
    while (seldom.length < 1003) {
      seldom.push(chain.append(draft(seldom.length)).line);
    }
    expect(faultsOf(verify(seldom.slice(0, 1002)))).toEqual([]);
    expect(faultsOf(verify(seldom))).toEqual([
      { writer: "w", seq: 1003, what: "not signed" },
    ]);
  });

  it("is found when an older writer is written anew and put behind the start that names it", () => {
    const killed = ONE.slice(0, 100);
    const next = run("2222bbbb", 20, { heads: [headOf(killed)] });
    const anew = [
      ...killed.slice(0, 90),
      ...killed.slice(90).map((line) => line),
    ];
    const chain = new AuditChain("1111aaaa", CHECKPOINTS);
    chain.rewind({ ...headOf(killed.slice(0, 90)), checkpointSeq: 81 });
    for (let n = 90; n < 101; n += 1) {
      anew[n] = chain.append(draft(5000 + n)).line;
    }
    expect(faultsOf(verify([...next, ...anew], { partial: true }))[0]).toEqual({
      writer: "1111aaaa",
      seq: 100,
      what: "re-hashed but not re-signed",
      from: 82,
    });
    expect(faultsOf(verify([...next, ...killed]))).toEqual([
      { writer: "1111aaaa", seq: 1, what: "reordered" },
    ]);
    expect(faultsOf(verify([...next, ...killed], { partial: true }))).toEqual(
      [],
    );
  });

  it("is found when a whole run between two others is left out", () => {
    const three = run("3333cccc", 20, { heads: [headOf(TWO), headOf(ONE)] });
    expect(faultsOf(verify([...ONE, ...TWO, ...three]))).toEqual([]);
    expect(faultsOf(verify([...ONE, ...three]))).toEqual([
      { writer: "2222bbbb", seq: 1, what: "gone with all its entries" },
    ]);
  });

  it("is found when lines that are no entries are put in, in a store whatever they are", () => {
    const {
      chain: link,
      hash,
      ...rest
    } = JSON.parse(ONE[5]!) as Record<string, unknown>;
    expect([link, hash]).not.toContain(undefined);
    for (const line of [JSON.stringify(rest), "hello", ""]) {
      const lines = ONE.toSpliced(5, 0, line);
      expect(faultsOf(verifyStore([...lines, ...TWO]))).toHaveLength(1);
    }
    // A stream has other lines: without a place in the chain it is one of them.
    const shaped = verify(ONE.toSpliced(5, 0, JSON.stringify(rest)));
    expect(shaped).toMatchObject({ entries: 150, skipped: 1 });
    expect(faultsOf(shaped)).toEqual([]);
  });

  it("is found when a checkpoint's own time is changed in a part without the start", () => {
    const at = ONE.length - 1;
    const entry = JSON.parse(ONE[at]!) as { metadata: object };
    const lax = rehashed(ONE[at]!, (covered) =>
      covered
        .replace(/"timestampSignature":"[^"]*",/, "")
        .replace('"timestamp":"2027', '"timestamp":"2026'),
    );
    expect(entry.metadata).toHaveProperty("timestampSignature");
    const part = [...ONE.slice(130, at), lax, ...TWO];
    expect(faultsOf(verify(part, { partial: true }))).toMatchObject([
      { writer: "1111aaaa", seq: 150 },
    ]);
  });

  it("does not bring the verifier down with a line of many beginnings", () => {
    const nest = '{"timestamp":"'.repeat(4600);
    const report = verify([...ONE, nest, ...TWO]);
    expect(faultsOf(report)).toEqual([]);
    expect(report).toMatchObject({ entries: 300, torn: 4600 });
  });
});

describe("what a forger may write behind the last checkpoint", () => {
  it("does not confuse the verifier", () => {
    const chain = new AuditChain("1111aaaa", CHECKPOINTS);
    chain.rewind({ ...headOf(ONE), checkpointSeq: 150 });
    const odd = [
      { heads: [null, 7, { writer: 3 }], resumed: [null], writers: [null] },
      { heads: "x", resumed: 1, writers: {}, publicKey: {} },
    ];
    const lines = odd.flatMap((metadata) => [
      chain.append({ ...draft(1, metadata), action: "server.started" }).line,
      chain.append({ ...draft(1, metadata), action: "retention.purged" }).line,
      chain.append({ ...draft(1, metadata), action: "audit.checkpoint" }).line,
    ]);
    expect(faultsOf(verify([...ONE, ...lines]))).toMatchObject([
      { seq: 153, what: "re-hashed but not re-signed" },
    ]);
  });

  it("does not make the retention vouch for what was deleted", () => {
    const chain = new AuditChain("2222bbbb", CHECKPOINTS);
    chain.rewind({ ...headOf(TWO), checkpointSeq: 150 });
    const kept = ONE.slice(40);
    const gone = headOf(ONE.slice(0, 40));
    const forged = chain.append({
      ...draft(1, { writers: [gone] }),
      action: "retention.purged",
    });
    expect(faultsOf(verify([...kept, ...TWO, forged.line]))).toEqual([
      { writer: "1111aaaa", seq: 1, what: "missing" },
    ]);
    const anchored = chain.checkpoint(AT)!.line;
    expect(faultsOf(verify([...kept, ...TWO, forged.line, anchored]))).toEqual(
      [],
    );
  });
});

describe("hexhook audit verify", () => {
  let folder: ReturnType<typeof temporaryFolder>;

  beforeEach(() => {
    folder = temporaryFolder();
  });

  afterEach(() => {});

  const audit = (args: readonly string[], input = "") =>
    hexhook(["audit", "verify", ...args], { cwd: folder.path, input });

  it("reads several files in their order, and says where each writer is anchored and which head to keep", async () => {
    writeFileSync(path.join(folder.path, "a.log"), `${ONE.join("\n")}\n`);
    writeFileSync(
      path.join(folder.path, "b.log"),
      TWO.slice(0, 140).join("\r\n"),
    );
    const report = await audit(["a.log", "b.log"]);
    expect(report).toMatchObject({ code: 0, stderr: "" });
    const head = headOf(TWO.slice(0, 140));
    expect(report.stdout).toBe(
      [
        "intact: 290 entries by 2 writers",
        "  1111aaaa  seq 1 to 150, anchored to the end",
        "  2222bbbb  seq 1 to 140, anchored up to 121, 122 to 140 not signed yet",
        "  (what is not signed yet can be changed or dropped by whoever can write there)",
        `signed with the key ${CHECKPOINTS.publicKey}`,
        "  which the trail itself names: hold it against yours with --public-key",
        "keep elsewhere, to give with --head:",
        `  1111aaaa:150:${headOf(ONE).hash}`,
        `  2222bbbb:140:${head.hash}`,
        "",
      ].join("\n"),
    );
  });

  it("holds a stream against a head and a key that are known from elsewhere", async () => {
    const text = TRAIL.slice(0, 299).join("\n");
    const { writer, seq, hash } = headOf(TWO);
    const cut = await audit(["-", "--head", `${writer}:${seq}:${hash}`], text);
    expect(cut.code).toBe(1);
    expect(cut.stdout).toContain(
      "TAMPERED: writer 2222bbbb, seq 150: cut off\n",
    );
    const key = path.join(folder.path, "key.pem");
    const { publicKey } = generateKeyPairSync("ed25519");
    writeFileSync(key, publicKey.export({ format: "pem", type: "spki" }));
    const strange = await audit(["--public-key", key, "-"], text);
    expect(strange.code).toBe(1);
    expect(strange.stdout).toContain("signed with another key");
    const own = ["--public-key", CHECKPOINTS.publicKey];
    expect((await audit(["-", ...own], text)).code).toBe(0);
    const none = await audit(["-", "--public-key", "none.pem"], text);
    expect(none.code).toBe(64);
    expect(none.stderr).toContain("It cannot be read (ENOENT)");
  });

  it("cannot tell of what nobody signed, and does not call it signed", async () => {
    const chain = new AuditChain("w", CHECKPOINTS);
    const lines = [1, 2, 3].map((n) => chain.append(draft(n)).line);
    const { code, stdout } = await audit(["-"], lines.join("\n"));
    expect(code).toBe(2);
    expect(stdout).toContain("cannot be told: nothing that 1 writer wrote is");
    expect(stdout).not.toContain("signed with the key");
  });

  it("takes no store for a part, and says which heads are worth keeping: those of writers that go on", async () => {
    expect(await audit(["--partial"])).toMatchObject({ code: 64 });
    const stopped = new AuditChain("3333cccc", CHECKPOINTS);
    const lines = [
      stopped.append(started([headOf(ONE)])).line,
      stopped.checkpoint(AT)!.line,
      stopped.append({ ...draft(1), action: "server.stopped" }).line,
      stopped.checkpoint(AT)!.line,
    ];
    const { stdout } = await audit(["-"], [...ONE, ...lines].join("\n"));
    expect(stdout).toContain(`--head:\n  1111aaaa:150:${headOf(ONE).hash}\n`);
    expect(stdout).not.toContain("3333cccc:4");
  });

  it("finds a changed prefix, and knows those of log collectors", async () => {
    const changed = ["[AUDIT] ", ...ONE].join("").replace("[AUDIT]", "[AUDIU]");
    expect((await audit(["-"], changed)).code).toBe(1);
    const pod = ONE.map((line) => `[pod/web-0/hexhook] [AUDIT] ${line}`);
    expect((await audit(["-"], pod.join("\n"))).code).toBe(0);
  });

  it("takes a line without an end for one, however long it is", async () => {
    const long = "x".repeat(300_000);
    const { code, stdout } = await audit(["-"], `${long}\n${ONE.join("\n")}`);
    expect(code).toBe(0);
    expect(stdout).toContain("1 other line was skipped");
  });
});

describeWithPython("the script in another language", () => {
  it("has less than 40 lines", () => {
    const file = inProject("docs/verify-audit.py");
    expect(readFileSync(file, "utf8").split("\n").length).toBeLessThan(41);
  });

  const check = (lines: readonly string[]) =>
    spawnSync("python3", ["docs/verify-audit.py"], {
      cwd: ROOT,
      input: `${lines.join("\n")}\n`,
      encoding: "utf8",
    });

  it("finds the trail intact, and up to where it is anchored, from the format alone", () => {
    const { status, stdout } = check([
      ...ONE.map((line) => `[AUDIT] ${line}`),
      "something else",
      ...TWO.slice(0, 140),
    ]);
    expect(stdout).toBe(
      `1111aaaa: intact to seq 150, anchored to seq 150, head ${headOf(ONE).hash}\n` +
        `2222bbbb: intact to seq 140, anchored to seq 121, head ${headOf(TWO.slice(0, 140)).hash}\n` +
        `${CHECKPOINTS.publicKey}\n`,
    );
    expect(status).toBe(0);
    expect(check(["nothing"]).status).toBe(2);
    expect(check(ONE.map((line) => `web-1  | ${line}\r`)).status).toBe(0);
    const torn = check([...ONE, TWO[0]!.slice(0, -9)]);
    expect(torn).toMatchObject({
      status: 2,
      stderr: "1 lines cannot be read\n",
      stdout: expect.stringContaining("1111aaaa: intact to seq 150"),
    });
  });

  it.each([
    ["edited", TRAIL.with(20, TRAIL[20]!.replace("evt_20", "evt_21")), 21],
    ["deleted", without(20), 22],
    [
      "broken as JSON",
      TRAIL.with(20, TRAIL[20]!.replace('"chain":{', '"chain":[')),
      22,
    ],
    ["hashed again without the key", rehashedFrom(20, laterTime), 41],
  ])("finds what was %s", (_what, lines, seq) => {
    const { status, stderr } = check(lines);
    expect(stderr).toBe(`TAMPERED: writer 1111aaaa, seq ${seq}\n`);
    expect(status).toBe(1);
  });
});

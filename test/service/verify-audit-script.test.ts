import { expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { AuditChain } from "../../src/audit/chain.ts";
import { CHECKPOINTS } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { describeWithPython } from "../support/processes.ts";
import { inProject, ROOT } from "../support/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  draft,
  headOf,
  OTHER_KEY,
  rehashed,
  run,
  started,
} from "../support/trails.ts";

const ONE = run("1111aaaa", 40, { every: 20, stops: true });
const TWO = run("2222bbbb", 40, { every: 20, heads: [headOf(ONE)] });
const TRAIL = [...ONE, ...TWO];
const KEY = CHECKPOINTS.publicKey;

/** Runs the script in docs/ on the lines. */
function check(lines: readonly string[], ...keys: string[]) {
  const { status, stdout, stderr } = spawnSync(
    "python3",
    ["docs/verify-audit.py", ...keys],
    { cwd: ROOT, input: `${lines.join("\n")}\n`, encoding: "utf8" },
  );
  return { status, stdout, stderr };
}

/** Runs the command on the lines, and returns its result without the texts. */
async function exitOfCommand(
  lines: readonly string[],
  ...keys: string[]
): Promise<number | null> {
  const args = ["audit", "verify", "-"];
  const { code } = await hexhook(
    [...args, ...keys.flatMap((key) => ["--public-key", key])],
    { cwd: temporaryFolder().path, input: lines.join("\n") },
  );
  return code;
}

/** A trail with an additional entry after the end of its writer. */
function afterEnd(): string[] {
  const chain = new AuditChain("1111aaaa", CHECKPOINTS);
  chain.rewind({ ...headOf(ONE), checkpointSeq: 40 });
  return [...ONE, chain.append(draft(41)).line];
}

function unsigned(): string[] {
  const chain = new AuditChain("w", CHECKPOINTS);
  return [1, 2, 3].map((n) => chain.append(draft(n)).line);
}

const later = (line: string): string =>
  rehashed(line, (text) =>
    text.replace('"timestamp":"2027', '"timestamp":"2028'),
  );

describeWithPython("the verification script in docs", () => {
  it("finds a trail intact, and prints up to which seq it is signed", () => {
    const lines = [
      ...ONE.map((line) => `[AUDIT] ${line}`),
      "something else",
      ...TWO.slice(0, 30),
    ];
    expect(check(lines)).toEqual({
      status: 0,
      stdout:
        `1111aaaa: intact from seq 1 to 40, anchored to seq 40, head ${headOf(ONE).hash}\n` +
        `2222bbbb: intact from seq 1 to 30, anchored to seq 21, head ${headOf(TWO.slice(0, 30)).hash}\n` +
        `${KEY}\n`,
      stderr: "",
    });
  });

  it.each<[string, number, readonly string[], string[]]>([
    ["an intact trail", 0, TRAIL, []],
    ["an intact trail, with its key", 0, TRAIL, [KEY]],
    [
      "an intact trail, with its key and an older one",
      0,
      TRAIL,
      [OTHER_KEY.publicKey, KEY],
    ],
    [
      "a trail that is signed with another key",
      1,
      TRAIL,
      [OTHER_KEY.publicKey],
    ],
    [
      "the output of a log collector",
      0,
      ONE.map((line) => `web-1  | ${line}\r`),
      [],
    ],
    ["repeated entries", 0, [...ONE, ...ONE.slice(30), ...TWO], []],
    [
      "an edited entry",
      1,
      TRAIL.with(10, TRAIL[10]!.replace("evt_10", "evt_11")),
      [],
    ],
    ["a deleted entry", 1, TRAIL.toSpliced(10, 1), []],
    [
      "two swapped entries",
      1,
      TRAIL.with(10, TRAIL[11]!).with(11, TRAIL[10]!),
      [],
    ],
    [
      "a changed entry with a new hash",
      1,
      TRAIL.with(10, later(TRAIL[10]!)),
      [],
    ],
    ["an entry after the end of its writer", 1, afterEnd(), []],
    ["a writer without a checkpoint", 2, unsigned(), []],
    [
      "a writer without a checkpoint beside others",
      2,
      [...TRAIL, ...unsigned()],
      [],
    ],
    ["a writer that begins in the middle", 2, ONE.slice(20), []],
    ["lines without an entry", 2, ["nothing"], []],
    ["five megabytes of zero bytes", 2, ["\0".repeat(5_000_000)], []],
  ])(
    "agrees with the command about %s: %i",
    async (_what, exit, lines, keys) => {
      expect(check(lines, ...keys).status).toBe(exit);
      expect(await exitOfCommand(lines, ...keys)).toBe(exit);
    },
  );

  it.each([
    ["edited", TRAIL.with(10, TRAIL[10]!.replace("evt_10", "evt_11")), 11],
    ["deleted", TRAIL.toSpliced(10, 1), 11],
    ["added after the end", afterEnd(), 41],
  ])(
    "names the writer and the seq of an entry that was %s",
    (_what, lines, seq) => {
      expect(check(lines)).toMatchObject({
        status: 1,
        stderr: `TAMPERED: writer 1111aaaa, seq ${seq}\n`,
      });
    },
  );

  it("prints why a trail is undecidable", () => {
    const lines = [...ONE.slice(20), TWO[0]!.slice(0, -9)];
    expect(check(lines).stderr).toBe(
      "undecidable: 1 lines cannot be read\nundecidable: writer 1111aaaa begins at seq 21\n",
    );
    const start = new AuditChain("w", CHECKPOINTS).append(started([])).line;
    expect(check([...ONE, start]).stderr).toBe(
      "undecidable: nothing of writer w is signed\n",
    );
  });
});

it("the verification script in docs is short enough to be read in full", () => {
  const text = readFileSync(inProject("docs/verify-audit.py"), "utf8");
  expect(text.split("\n").length).toBeLessThan(65);
});

import { beforeEach, describe, expect, it } from "@jest/globals";
import { generateKeyPairSync } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { AuditChain, hashLine } from "../../src/audit/chain.ts";
import { CHECKPOINTS, SECRET, TODAY } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { hexhookOnTerminal, itWithPython } from "../support/processes.ts";
import { startTestService } from "../support/service.ts";
import {
  temporaryFolder,
  type TemporaryFolder,
} from "../support/temporary-folder.ts";
import { draft, headOf, run, started } from "../support/trails.ts";

const ONE = run("1111aaaa", 60);
const TWO = run("2222bbbb", 60, { heads: [headOf(ONE)] });
const TRAIL = [...ONE, ...TWO];

let folder: TemporaryFolder;

beforeEach(() => {
  folder = temporaryFolder();
});

const write = (name: string, text: string): void => {
  writeFileSync(path.join(folder.path, name), text);
};

const verify = (args: readonly string[], lines: readonly string[] = []) =>
  hexhook(["audit", "verify", ...args], {
    cwd: folder.path,
    input: lines.join("\n"),
  });

describe("hexhook audit verify", () => {
  it("reads several files in order, and prints what is signed, what is unproven and which head to keep", async () => {
    write("a.log", `${ONE.join("\n")}\n`);
    const second = TWO.slice(0, 50);
    write("b.log", second.join("\r\n"));
    const report = await verify(["a.log", "b.log"]);
    expect(report).toMatchObject({ code: 0, stderr: "" });
    expect(report.stdout).toBe(
      [
        "intact: 110 entries by 2 writers",
        "  1111aaaa  seq 1 to 60, anchored to the end",
        "  2222bbbb  seq 1 to 50, anchored up to 41, unproven: 1 to 50",
        "  (unproven: no --head, no anchor and no later writer confirms these entries, so",
        "    entries after the signed ones could have been cut off or replaced)",
        `signed with the key ${CHECKPOINTS.publicKey}`,
        "  (the trail itself names this key: compare it with yours by --public-key)",
        "keep on another machine, and give later with --head:",
        `  2222bbbb:50:${headOf(second).hash}`,
        "",
      ].join("\n"),
    );
  });

  it("compares a stream with a head and a key that are known from elsewhere", async () => {
    const cutLines = TRAIL.slice(0, -1);
    const { writer, seq, hash } = headOf(TWO);
    const cut = await verify(
      ["-", "--head", `${writer}:${seq}:${hash}`],
      cutLines,
    );
    expect(cut.code).toBe(1);
    expect(cut.stdout).toContain(
      "TAMPERED: writer 2222bbbb, seq 60: cut off\n",
    );
    const { publicKey } = generateKeyPairSync("ed25519");
    const pem = publicKey.export({ format: "pem", type: "spki" });
    write("key.pem", pem.toString());
    const other = await verify(["--public-key", "key.pem", "-"], cutLines);
    expect(other.code).toBe(1);
    expect(other.stdout).toContain("signed with another key");
    const own = ["--public-key", CHECKPOINTS.publicKey];
    expect((await verify(["-", ...own], cutLines)).code).toBe(0);
    const none = await verify(["-", "--public-key", "none.pem"], cutLines);
    expect(none.code).toBe(64);
    expect(none.stderr).toContain("As a file, it cannot be read (ENOENT)");
  });

  it("compares a stream with an anchor file, and rejects a file without an anchor", async () => {
    const anchors = [headOf(ONE), headOf(TWO)].map(
      ({ writer, seq, hash }) => `${writer}:${seq}:${hash}`,
    );
    write("anchors.log", `2222bbbb:4\n${anchors.join("\n")}\n`);
    const whole = await verify(["-", "--anchors", "anchors.log"], TRAIL);
    expect(whole.code).toBe(0);
    expect(whole.stdout).not.toContain("unproven");
    expect(whole.stdout).toContain("2 of 2 anchors found in the trail\n");
    const dropped = await verify(["-", "--anchors", "anchors.log"], ONE);
    expect(dropped.code).toBe(1);
    expect(dropped.stdout).toContain(
      "TAMPERED: writer 2222bbbb, seq 1: all entries of this writer are missing\n",
    );
    expect((await verify(["-"], ONE)).code).toBe(0);
    write("none.log", "nothing\n");
    for (const file of ["none.log", "absent.log"]) {
      const wrong = await verify(["-", "--anchors", file], TRAIL);
      expect(wrong.code).toBe(64);
      expect(wrong.stderr).toContain(file);
    }
  });

  it("finds unsigned entries undecidable, and does not call them signed", async () => {
    const chain = new AuditChain("w", CHECKPOINTS);
    const lines = [1, 2, 3].map((n) => chain.append(draft(n)).line);
    const { code, stdout } = await verify(["-"], lines);
    expect(code).toBe(2);
    expect(stdout).toContain("undecidable: no entry of 1 writer is signed");
    expect(stdout).not.toContain("signed with the key");
  });

  it("finds a stream that begins in the middle undecidable, and names the first seq", async () => {
    const { code, stdout } = await verify(["-"], TRAIL.slice(25));
    expect(code).toBe(2);
    expect(stdout).toContain(
      "undecidable: these lines begin in the middle of 1111aaaa and are complete from\n    seq 26; give the earlier lines first\n",
    );
  });

  it("counts repeated entries and other lines", async () => {
    const lines = [...TRAIL, ...TWO.slice(50), "listening"];
    const { code, stdout } = await verify(["-"], lines);
    expect(code).toBe(0);
    expect(stdout).toContain("10 repeated entries, identical\n");
    expect(stdout).toContain("1 other line was skipped\n");
  });

  it("names writers that are not in the lines", async () => {
    const { code, stdout } = await verify(["-"], TWO);
    expect(code).toBe(0);
    expect(stdout).toContain(
      "1 writer named here, 1111aaaa up to seq 60, is not in these lines",
    );
    expect(stdout.split("\n").every((line) => line.length <= 80)).toBe(true);
  });

  it("prints the heads of writers whose end is not confirmed", async () => {
    const stopped = run("3333cccc", 10, { heads: [headOf(ONE)], stops: true });
    const { stdout } = await verify(["-"], [...ONE, ...stopped]);
    expect(stdout).toContain(
      `--head:\n  3333cccc:10:${headOf(stopped).hash}\n`,
    );
  });

  it("detects a changed [AUDIT] prefix, and accepts the prefixes of log collectors", async () => {
    const changed = ["[AUDIU] ", ...ONE].join("");
    expect((await verify(["-"], [changed])).code).toBe(1);
    const pod = ONE.map((line) => `[pod/web-0/hexhook] [AUDIT] ${line}`);
    expect((await verify(["-"], pod)).code).toBe(0);
  });

  it("skips a very long line without a newline", async () => {
    const { code, stdout } = await verify(["-"], ["x".repeat(300_000), ...ONE]);
    expect(code).toBe(0);
    expect(stdout).toContain("1 other line was skipped");
  });

  it("prints no terminal control sequences, even as JSON, and reports whether the keys were known", async () => {
    const covered = `{"timestamp":"2026-11-24T19:40:00.000Z","action":"a","userId":"u","resource":"r","result":"success","metadata":{},"chain":{"writer":"\u009b31mX\u2028","seq":1,"prev":"${"0".repeat(64)}"}}`;
    const odd = `${covered.slice(0, -1)},"hash":"${hashLine(covered)}"}`;
    for (const args of [[], ["--json"]]) {
      const { stdout } = await verify(["-", ...args], [...ONE, odd]);
      expect(stdout).toMatch(/^[\n\x20-\x7e]+$/);
    }
    const json = await verify(["-", "--json"], ONE);
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: "intact",
      keysKnown: false,
      writers: [{ writer: "1111aaaa", anchoredTo: 60, confirmedTo: 0 }],
    });
  });

  it("rejects an invalid key as a configuration error, and does not verify without it", async () => {
    const env = {
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      DATABASE_URL: "sqlite:hexhook.db",
    };
    const at = { cwd: folder.path };
    await (await startTestService(folder.path)).stop();
    const wrong = { ...env, AUDIT_SIGNING_KEY: "no key" };
    const rejected = await hexhook(["audit", "verify"], { ...at, env: wrong });
    expect(rejected).toMatchObject({
      code: 78,
      stderr: expect.stringContaining("AUDIT_SIGNING_KEY"),
    });
    write("hexhook.db-audit-key.pem", "x");
    const damaged = await hexhook(["audit", "verify"], { ...at, env });
    expect(damaged).toMatchObject({ code: 78 });
  });

  itWithPython("shows a progress bar only on a terminal", async () => {
    write("trail.log", run("1111aaaa", 20_000, { every: 900 }).join("\n"));
    const args = ["audit", "verify", "trail.log"];
    const at = { cwd: folder.path };
    const seen = await hexhookOnTerminal(args, at);
    expect(seen.stdout).toMatch(/\r\[#+\.*\] /);
    expect(seen.stdout).toContain("intact: 20000 entries by 1 writer");
    expect(seen.code).toBe(0);
    const dumb = await hexhookOnTerminal(args, {
      ...at,
      env: { TERM: "dumb" },
    });
    expect(dumb.stdout).toMatch(/^intact: /);
    const piped = await hexhook(args, at);
    expect(piped.stdout).toMatch(/^intact: /);
    expect(piped.stderr).toBe("");
  });
});

describe("an unsigned start of another writer", () => {
  it("makes the trail undecidable", async () => {
    const feed = new AuditChain("feed", CHECKPOINTS);
    const lines = [feed.append(started([])).line, ...ONE];
    const { code, stdout } = await verify(["-"], lines);
    expect(code).toBe(2);
    expect(stdout).toContain("no entry of 1 writer is signed: feed\n");
  });
});

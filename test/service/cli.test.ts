import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { OTHER_SECRET, SECRET } from "../support/fixtures.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { hexhook } from "../support/hexhook.ts";
import {
  CLI,
  environment,
  hexhookOnTerminal,
  hexhookProcess,
  itWithPython,
  serve,
} from "../support/processes.ts";
import { openFile, readColumn } from "../support/store-file.ts";

const ENV = { HEX_SECRET: SECRET, DATABASE_URL: "sqlite:hexhook.db" };

let folder: ReturnType<typeof temporaryFolder>;
let server: Awaited<ReturnType<typeof serve>>;

beforeAll(async () => {
  folder = temporaryFolder();
  server = await serve(folder.path);
});

afterAll(async () => {
  await server.stop();
});

function run(args: readonly string[], input: string | Buffer = "", env = {}) {
  return hexhook(args, {
    cwd: folder.path,
    env: { ...ENV, PORT: String(server.port), ...env },
    input,
  });
}

describe("hexhook", () => {
  it("lists its commands, and has help for each", async () => {
    const top = await run(["--help"]);
    expect(top.code).toBe(0);
    for (const command of [
      ["serve"],
      ["send"],
      ["sign"],
      ["verify"],
      ["audit", "tail"],
      ["audit", "verify"],
      ["migrate"],
      ["demo"],
    ]) {
      expect(top.stdout).toContain(command[0]);
      const help = await run([...command, "--help"]);
      expect(help.code).toBe(0);
      expect(help.stdout).toContain(`Usage: hexhook ${command.join(" ")}`);
    }
  });

  it.each([
    [["nonsense"]],
    [["send", "--nonsense"]],
    [["send", "--count", "0"]],
    [["send", "--tamper", "all"]],
    [["send", "--source", "other"]],
    [["send", "--data", "{"]],
    [["send", "--file", "none.json"]],
    [["send", "--file", "none.json", "--id", "x"]],
    [["demo", "--port", "x"]],
    [["sign", "--timestamp", "1.5"]],
    [["verify", "-H", "no colon"]],
    [["audit", "tail", "--since", "yesterday"]],
    [["audit", "tail", "--result", "good"]],
    [["audit", "verify", "--head", "x"]],
    [["audit", "verify", "--file", "none.log"]],
    [["audit", "nonsense"]],
  ])("ends with 64 and one clear line for %j", async (args) => {
    const { code, stderr, stdout } = await run(args);
    expect([code, stdout]).toEqual([64, ""]);
    expect(stderr).not.toContain("    at ");
    expect(stderr.trim().length).toBeGreaterThan(10);
  });

  it("ends with 78 and a line for each fault when the configuration is wrong", async () => {
    const { code, stderr, stdout } = await hexhookProcess(["serve"], {
      cwd: folder.path,
      env: { HEX_SECRET: "short-geheim", PORT: "x" },
    });
    expect(code).toBe(78);
    expect(stdout).toBe("");
    expect(stderr.trim().split("\n")).toEqual([
      expect.stringMatching(/^hexhook: PORT: /),
      expect.stringMatching(/^hexhook: HEX_SECRET: /),
    ]);
    expect(stderr).not.toContain("geheim");
  });

  it("ends with 70 when there is no store, or one of a newer version", async () => {
    const missing = await run(["audit", "tail"], "", {
      DATABASE_URL: "sqlite:none.db",
    });
    expect(missing.code).toBe(70);
    expect(missing.stderr).toMatch(/no store at none\.db/);

    const nowhere = await run(["migrate"], "", {
      DATABASE_URL: "sqlite:/proc/x/y.db",
    });
    expect(nowhere.code).toBe(70);
    expect(nowhere.stderr).toMatch(/cannot make the folder \/proc\/x/);

    const db = openFile(path.join(folder.path, "newer.db"));
    db.exec("PRAGMA user_version = 9999");
    db.close();
    const newer = { DATABASE_URL: "sqlite:newer.db" };
    for (const command of [["migrate"], ["serve"], ["audit", "verify"]]) {
      const { code, stderr } = await hexhookProcess(command, {
        cwd: folder.path,
        env: { ...ENV, ...newer, PORT: "0", ADMIN_PORT: "0" },
      });
      expect(code).toBe(70);
      expect(stderr).toMatch(/newer than this program's/);
    }
  });

  it("reads .env of the working folder, and real variables win", async () => {
    const place = temporaryFolder();
    writeFileSync(
      path.join(place.path, ".env"),
      `HEX_SECRET=${SECRET}\nHEX_SIGNATURE_SCHEME=hex-body\n`,
    );
    const cwd = place.path;
    const fromFile = await hexhook(["sign"], { cwd, input: "{}" });
    expect(fromFile.stdout).toMatch(/^x-hex-signature: [0-9a-f]{64}\n$/);
    const env = { HEX_SIGNATURE_SCHEME: "hex" };
    const real = await hexhook(["sign"], { cwd, env, input: "{}" });
    expect(real.stdout).toMatch(/^x-hex-timestamp: /);
  });
});

describe("hexhook migrate", () => {
  it("makes the store, and finds it up to date the second time", async () => {
    const env = { DATABASE_URL: "sqlite:made/deep/m.db" };
    expect(await run(["migrate"], "", env)).toMatchObject({
      code: 0,
      stdout: "the schema of made/deep/m.db went from version 0 to 4\n",
    });
    expect((await run(["migrate"], "", env)).stdout).toMatch(/up to date/);
  });

  it("needs no secret", async () => {
    const { code } = await hexhook(["migrate"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:n.db" },
    });
    expect(code).toBe(0);
  });
});

describe("hexhook send", () => {
  it("sends what it is told, prints each status, and ends with 0 when each was right", async () => {
    const one = await run(["send", "--id", "evt_cli", "--type", "a.b"]);
    expect(one.stdout).toMatch(/^1: evt_cli 200 accepted \(\d+ ms\)\n$/);
    expect(one.code).toBe(0);

    const repeat = await run(["send", "--repeat", "--json"]);
    expect(repeat.code).toBe(0);
    expect(
      repeat.stdout
        .trim()
        .split("\n")
        .map((line) => (JSON.parse(line) as { verdict: string }).verdict),
    ).toEqual(["accepted", "replayed"]);

    const many = await run(["send", "--count", "30", "--concurrency", "5"]);
    expect(many.stdout).toContain("30 x 200 accepted");
    expect(many.code).toBe(0);
  });

  it.each(["body", "signature", "timestamp"])(
    "with --tamper %s is refused, and that is right",
    async (part) => {
      const { stdout, code } = await run(["send", "--tamper", part]);
      expect(stdout).toMatch(/^1: evt_\S+ 401 unauthorized/);
      expect(code).toBe(0);
    },
  );

  it("ends with 1 when a delivery was not taken: stale, wrong secret, nobody there", async () => {
    const stale = await run(["send", "--timestamp", "1700000000"]);
    expect([stale.code, stale.stdout]).toEqual([
      1,
      expect.stringMatching(/^1: evt_\S+ 401 unauthorized/),
    ]);
    const wrong = await run(["send"], "", { HEX_SECRET: OTHER_SECRET });
    expect(wrong.code).toBe(1);
    const nobody = await run(["send", "--url", "http://127.0.0.1:1/"]);
    expect(nobody.code).toBe(1);
    expect(nobody.stdout).toMatch(
      /^1: evt_\S+ no answer \(.+\): is the service/,
    );
  });

  it("sends a file byte for byte, and --data as a whole body when it has id and type", async () => {
    const body = Buffer.from(
      '{"id":"evt_file","type":"t","x":"\xff"}',
      "latin1",
    );
    writeFileSync(path.join(folder.path, "body.json"), body);
    expect((await run(["send", "--file", "body.json"])).code).toBe(0);
    expect(
      (await run(["send", "--data", '{ "id": "evt_data", "type": "t" }'])).code,
    ).toBe(0);
    const bodyOf = (id: string) => {
      const file = path.join(folder.path, "hexhook.db");
      const sql = "SELECT body FROM event WHERE id = ?";
      return Buffer.from(readColumn(file, sql, id)[0] as Uint8Array);
    };
    expect(body.equals(bodyOf("evt_file"))).toBe(true);
    expect(bodyOf("evt_data").toString()).toBe(
      '{ "id": "evt_data", "type": "t" }',
    );
  });
});

describe("hexhook sign and verify", () => {
  const body = Buffer.from('{"id":"evt_1","type":"t","x":"\xff"}\n', "latin1");

  it("agree, through a pipe and by options, on any bytes", async () => {
    const { stdout } = await run(["sign"], body);
    const message = Buffer.concat([Buffer.from(`${stdout}\n`), body]);
    expect(await run(["verify"], message)).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^verified \(key [0-9a-f]{8}\)\n$/),
    });
    const headers = stdout.trim().split("\n");
    const options = headers.flatMap((line) => ["-H", line]);
    expect((await run(["verify", ...options], body)).code).toBe(0);
  });

  it.each<[string, (signed: string[]) => string[], Buffer, RegExp]>([
    [
      "a changed body",
      (h) => h,
      Buffer.from("{}"),
      /bad_signature[^]*no secret of this source/,
    ],
    [
      "a lost line end",
      (h) => h,
      body.subarray(0, -1),
      /bad_signature[^]*line end behind the body was taken away/,
    ],
    [
      "an added line end",
      (h) => h,
      Buffer.concat([body, Buffer.from("\n")]),
      /a line end was added/,
    ],
    [
      "CRLF",
      (h) => h,
      Buffer.from(body.toString("latin1").replace("\n", "\r\n"), "latin1"),
      /LF became CRLF/,
    ],
    [
      "no signature",
      (h) => h.slice(0, 1),
      body,
      /missing_signature[^]*x-hex-signature is not there/,
    ],
    [
      "milliseconds",
      ([, s]) => ["x-hex-timestamp: 1800000000000", s ?? ""],
      body,
      /malformed_timestamp[^]*milliseconds/,
    ],
    [
      "a prefix",
      ([t, s]) => [t ?? "", (s ?? "").replace(": ", ": sha256=")],
      body,
      /malformed_signature[^]*prefix/,
    ],
  ])(
    "say why for %s, and never show a signature",
    async (_what, change, received, why) => {
      const { stdout } = await run(["sign"], body);
      const signature = /x-hex-signature: (\w+)/.exec(stdout)?.[1];
      const headers = change(stdout.trim().split("\n"));
      const message = Buffer.concat([
        Buffer.from(`${headers.join("\n")}\n\n`),
        received,
      ]);
      const verdict = await run(["verify", "--explain"], message);
      expect(verdict.code).toBe(1);
      expect(verdict.stdout).toMatch(why);
      expect(verdict.stdout).not.toContain(signature);
      expect(verdict.stdout).not.toMatch(/[0-9a-f]{16}/);
      expect(verdict.stdout).not.toContain(SECRET);
    },
  );

  it("say what a stale message, a reprinted body and the other scheme have in common with a good one", async () => {
    const old = await run(["sign", "--timestamp", "1700000000"], body);
    const stale = await run(
      ["verify", "--explain"],
      Buffer.concat([Buffer.from(`${old.stdout}\n`), body]),
    );
    expect(stale.stdout).toMatch(/stale_timestamp[^]*the signature is good/);
    const then = await run(
      ["verify", "--now", "1700000100"],
      Buffer.concat([Buffer.from(`${old.stdout}\n`), body]),
    );
    expect(then.code).toBe(0);

    const compact = '{"a":1,"id":"x"}';
    const { stdout } = await run(["sign"], compact);
    const reprinted = await run(
      ["verify", "--explain"],
      `${stdout}\n{ "a": 1, "id": "x" }`,
    );
    expect(reprinted.stdout).toContain("parsed and printed again");

    const bodyOnly = await run(["sign"], compact, {
      HEX_SIGNATURE_SCHEME: "hex-body",
    });
    const other = await run(
      ["verify", "--explain", "--json"],
      `x-hex-timestamp: 1700000000\n${bodyOnly.stdout}\n${compact}`,
    );
    expect(JSON.parse(other.stdout)).toMatchObject({
      ok: false,
      reason: "bad_signature",
      hints: [expect.stringContaining("fits the scheme hex-body")],
    });
  });
});

describe("hexhook audit", () => {
  it("tail shows entries by filter, readable or as they are stored", async () => {
    await run(["send", "--id", "evt_tail", "--tamper", "body"]);
    await run(["send", "--id", "evt_tail"]);

    const accepted = await run([
      "audit",
      "tail",
      "--json",
      "--action",
      "webhook.a*",
      "--since",
      "1h",
      "--source",
      "hex",
    ]);
    const lines = accepted.stdout.trim().split("\n");
    expect(lines.at(-1)).toContain('"eventId":"evt_tail"');
    expect(lines.every((line) => line.includes("webhook.accepted"))).toBe(true);

    const failed = await run([
      "audit",
      "tail",
      "--result",
      "failure",
      "-n",
      "1",
    ]);
    expect(failed.stdout).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ FAIL webhook\.rejected bad_signature 401 127\.0\.0\.1\n {4}request=[\w-]+\n {4}sha256=[0-9a-f]{64}\n$/,
    );
    const pretty = await run(["audit", "tail"]);
    expect(
      Math.max(...pretty.stdout.split("\n").map(({ length }) => length)),
    ).toBeLessThanOrEqual(80);
    expect(pretty.stdout).not.toContain("\u001b");
  });

  it("tail -f goes on with what comes, also from a service started again", async () => {
    const child = spawn(
      process.execPath,
      [CLI, "audit", "tail", "-f", "--json", "--action", "webhook.accepted"],
      { cwd: folder.path, env: ENV, stdio: ["ignore", "pipe", "inherit"] },
    );
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    await run(["send", "--id", "evt_follow_1"]);
    await eventually(() => text.includes("evt_follow_1"));
    await server.stop();
    server = await serve(folder.path);
    await run(["send", "--id", "evt_follow_2"]);
    await eventually(() => text.includes("evt_follow_2"));
    child.kill("SIGTERM");
    await once(child, "close");
    expect(text.match(/evt_follow_\d/g)).toEqual([
      "evt_follow_1",
      "evt_follow_2",
    ]);
  });

  it("verify says intact of the store, and of the lines on stdout in a file or a pipe", async () => {
    await server.stop();
    const printed = server.stdout();
    server = await serve(folder.path);

    const store = await run(["audit", "verify"]);
    expect(store.stdout).toMatch(/^intact: \d+ entries by \d writers\n/);
    expect(store.code).toBe(0);

    const pipe = await run(
      ["audit", "verify", "-"],
      `a line of something else\n${printed}`,
    );
    expect(pipe.code).toBe(0);
    expect(pipe.stdout).toContain("1 other line was skipped");
    const file = path.join(folder.path, "trail.log");
    writeFileSync(file, printed.replaceAll("[AUDIT] ", ""));
    expect(await run(["audit", "verify", "--file", "trail.log"])).toMatchObject(
      { code: 0 },
    );
  });

  it("verify ends with 1 and names writer and seq when a line was changed, and with 2 when there is none", async () => {
    const file = path.join(folder.path, "trail.log");
    const lines = readFileSync(file, "utf8").trim().split("\n");
    const { chain } = JSON.parse(lines[1]!) as { chain: { writer: string } };
    lines.splice(1, 1);
    const cut = await run(["audit", "verify", "--file", "-"], lines.join("\n"));
    expect(cut.code).toBe(1);
    expect(cut.stdout).toContain(
      `TAMPERED: writer ${chain.writer}, seq 2: missing`,
    );
    const json = await run(
      ["audit", "verify", "--json", "-"],
      lines.join("\n"),
    );
    expect(JSON.parse(json.stdout)).toMatchObject({
      verdict: "tampered",
      writers: [{ fault: { seq: 2, what: "missing" } }],
    });
    expect(await run(["audit", "verify", "-"], "nothing here\n")).toMatchObject(
      { code: 2, stdout: expect.stringContaining("cannot be told") },
    );
  });

  itWithPython("tail has colours on a terminal, and nowhere else", async () => {
    const env = { DATABASE_URL: "sqlite:hexhook.db" };
    const args = ["audit", "tail"];
    const seen = await hexhookOnTerminal(args, { cwd: folder.path, env });
    expect(seen.stdout).toContain("\u001b[32mok  \u001b[0m");
    expect(seen.stdout).toContain("\u001b[31mFAIL\u001b[0m");
    const { stdout } = await run(args);
    expect(stdout).toMatch(/^[\n\x20-\x7e]+$/);
    expect(stdout).toContain(" FAIL webhook.rejected ");
  });

  it("tail says what is wrong with a time, when nothing fits, and when its output cannot be written", async () => {
    for (const when of ["2026-02-30", "yesterday", "2026-11-24 25:00:00Z"]) {
      const refused = await run(["audit", "tail", "--since", when]);
      expect(refused.code).toBe(64);
      expect(refused.stderr).toContain("15m, 2h or 3d");
    }
    // As it shows times itself.
    const shown = (await run(["audit", "tail", "-n", "1"])).stdout.slice(0, 20);
    expect(await run(["audit", "tail", "--since", shown])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining(shown),
    });
    expect(await run(["audit", "tail", "--event", "evt_none"])).toMatchObject({
      code: 0,
      stdout: "",
      stderr: expect.stringMatching(/^hexhook: no entry fits; .*failure/),
    });
    const endless = await run(["audit", "tail", "-f", "--until", "1h"]);
    expect(endless.code).toBe(64);
    const full = spawn(
      "/bin/sh",
      ["-c", 'exec "$0" "$1" audit tail > /dev/full', process.execPath, CLI],
      {
        cwd: folder.path,
        env: environment({ DATABASE_URL: "sqlite:hexhook.db" }),
      },
    );
    let stderr = "";
    full.stderr.on("data", (chunk: Buffer) => {
      stderr += chunk.toString();
    });
    const [code] = (await once(full, "close")) as [number];
    expect(stderr).toBe("hexhook: cannot write its output (ENOSPC)\n");
    expect(code).toBe(70);
  });

  it("needs no secret, only DATABASE_URL", async () => {
    const env = { DATABASE_URL: "sqlite:hexhook.db" };
    const cwd = folder.path;
    expect((await hexhook(["audit", "verify"], { cwd, env })).code).toBe(0);
    expect((await hexhook(["audit", "tail"], { cwd, env })).code).toBe(0);
  });
});

describe("hexhook demo", () => {
  it("shows each delivery get what it should, and ends with 0", async () => {
    const { code, stdout } = await run(["demo"]);
    expect(stdout).toContain("All went as it should");
    expect(stdout).not.toContain("FAIL ran");
    expect(stdout.match(/^ {2}ok {3}/gm)).toHaveLength(10);
    expect(stdout).not.toMatch(/^ {2}FAIL (?!webhook)/m);
    expect(code).toBe(0);
  });

  it("fails when verification is broken", async () => {
    const place = temporaryFolder();
    const { cpSync, symlinkSync } = await import("node:fs");
    const root = path.join(CLI, "..", "..");
    cpSync(path.join(root, "dist"), path.join(place.path, "dist"), {
      recursive: true,
    });
    cpSync(
      path.join(root, "package.json"),
      path.join(place.path, "package.json"),
    );
    symlinkSync(
      path.join(root, "node_modules"),
      path.join(place.path, "node_modules"),
    );
    const verify = path.join(place.path, "dist/signature/verify.js");
    const source = readFileSync(verify, "utf8");
    const broken = source.replace(/timingSafeEqual\(.*\)/, "true");
    expect(broken).not.toBe(source);
    writeFileSync(verify, broken);

    const child = spawn(
      process.execPath,
      [path.join(place.path, "dist/cli.js"), "demo"],
      { cwd: place.path, stdio: ["ignore", "pipe", "inherit"] },
    );
    let text = "";
    child.stdout.on("data", (chunk: Buffer) => {
      text += chunk.toString();
    });
    const [code] = (await once(child, "close")) as [number];
    expect(code).toBe(1);
    expect(text).toContain("Something did not go as it should");
  });
});

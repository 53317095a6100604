import { beforeAll, describe, expect, it } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { createHash, generateKeyPairSync, randomBytes } from "node:crypto";
import { EventEmitter } from "node:events";
import { Readable, Writable } from "node:stream";
import { run as runProgram } from "../../../src/cli/program.ts";
import { signed } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { CLI, environment } from "../../support/processes.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { storeFileIn } from "../../support/service-store.ts";
import { openFile, readColumn } from "../../support/store-file.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/** Bodies with CRLF, characters beyond ASCII and one that controls a terminal. */
const BODIES = new Map(
  ["evt_1", "evt_2", "evt_3"].map((id, n) => [
    id,
    Buffer.from(
      `{"id":"${id}",\r\n "type":"${n === 1 ? "c.d" : "a.b"}", "x":"é\u009b<b>" }\r\n`,
    ),
  ]),
);
/** The bytes that replace the body of `evt_bin`, which are not valid UTF-8. */
const BINARY = Buffer.concat([Buffer.from([0, 255, 10]), randomBytes(70_000)]);

let folder: string;
let file: string;
let service: TestService;
let env: Readonly<Record<string, string>>;

beforeAll(async () => {
  folder = temporaryFolder().path;
  file = storeFileIn(folder);
  env = { DATABASE_URL: `sqlite:${file}` };
  service = await startTestService(folder, {
    env: { HANDLERS: noHandlers(folder) },
  });
  for (const body of BODIES.values()) {
    await post(body);
  }
  await post(Buffer.from('{"id":"evt_bin","type":"bin"}'));
  const db = openFile(file);
  db.prepare<[Buffer]>("UPDATE event SET body = ? WHERE id = 'evt_bin'").run(
    BINARY,
  );
  db.close();
});

async function post(body: Buffer): Promise<void> {
  expect((await service.post(body, signed(body))).status).toBe(200);
}

const run = (...args: string[]) =>
  hexhook(["events", ...args], { cwd: folder, env });

const isRead = (line: unknown): boolean =>
  String(line).includes('"action":"event.read"');

/** Returns the lines of the entries, read as another process would. */
const readLines = (): unknown[] =>
  readColumn(file, "SELECT line FROM audit_entry ORDER BY position").filter(
    isRead,
  );

const reads = async () =>
  (await service.entries()).filter(({ action }) => action === "event.read");

/** Runs a command whose output is a terminal if `isTTY`, and returns the exact bytes that it prints. */
async function runExact(args: readonly string[], isTTY = false) {
  const chunks: Buffer[] = [];
  const entriesBefore: number[] = [];
  const stderr: string[] = [];
  let code = 0;
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      entriesBefore.push(readLines().length);
      chunks.push(chunk);
      callback();
    },
  });
  const errors = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      stderr.push(chunk.toString());
      callback();
    },
  });
  await runProgram(["events", ...args], {
    stdin: Object.assign(Readable.from([]), { isTTY: false }),
    stdout: Object.assign(stdout, { isTTY }),
    stderr: Object.assign(errors, { isTTY: false }),
    env: { ...environment(env) },
    signals: new EventEmitter(),
    setExitCode: (given) => {
      code = given;
    },
  });
  return {
    code,
    bytes: Buffer.concat(chunks),
    stderr: stderr.join(""),
    entriesBefore,
  };
}

describe("hexhook events show --body", () => {
  it("prints the exact bytes and nothing else, after the audit entry is written", async () => {
    for (const [id, body] of [...BODIES, ["evt_bin", BINARY] as const]) {
      const before = readLines().length;
      const shown = await runExact([
        "show",
        `hex/${id}`,
        "--body",
        "--as",
        "al",
      ]);
      expect([shown.code, shown.stderr]).toEqual([0, ""]);
      expect(shown.bytes.equals(body)).toBe(true);
      expect(shown.entriesBefore[0]).toBe(before + 1);
    }
    const body = BODIES.get("evt_1")!;
    expect((await reads())[0]).toMatchObject({
      userId: "operator:al",
      resource: "/events/hex/evt_1",
      result: "success",
      metadata: {
        source: "hex",
        eventId: "evt_1",
        eventType: "a.b",
        bodySha256: createHash("sha256").update(body).digest("hex"),
        bodyBytes: body.length,
      },
    });
    const tail = await hexhook(
      ["audit", "tail", "--event", "evt_1", "--action", "event.read"],
      { cwd: folder, env },
    );
    expect(tail.stdout).toMatch(/ ok {3}event\.read operator:al evt_1 a\.b\n$/);
  });

  it("prints one JSON object with --json, with the body in base64", async () => {
    const { stdout } = await run("show", "evt_bin", "--body", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      id: "evt_bin",
      contentType: "application/json",
      headers: {},
      deliveries: [],
      body: BINARY.toString("base64"),
    });
    expect(await run("show", "evt_bin", "--json")).toMatchObject({
      stdout: expect.not.stringContaining('"body":'),
    });
  });

  it("notes on a terminal that a body is binary, and prints it", async () => {
    const binary = await runExact(["show", "evt_bin", "--body"], true);
    expect(binary.stderr).toMatch(/^hexhook: the body is binary, [^\n]*\n$/);
    expect(binary.bytes.equals(BINARY)).toBe(true);
    const control = await runExact(["show", "evt_1", "--body"], true);
    expect(control.stderr).toMatch(/^hexhook: the body is binary, /);
    await post(Buffer.from('{"id":"evt_text","type":"text","x":"é"}'));
    const text = await runExact(["show", "evt_text", "--body"], true);
    expect([text.code, text.stderr]).toEqual([0, ""]);
  });

  it("prints nothing and writes nothing if it cannot name the event, or cannot write the entry", async () => {
    const before = (await service.entries()).length;
    expect(await run("show", "none", "--body")).toMatchObject({
      code: 1,
      stdout: "",
      stderr: expect.stringContaining('there is no event "none"'),
    });
    expect(await run("show", "evt_1", "--as", "al")).toMatchObject({
      code: 64,
      stdout: "",
      stderr: expect.stringContaining("add --body, or leave out --as"),
    });
    const { privateKey } = generateKeyPairSync("ed25519");
    const key = privateKey.export({ format: "pem", type: "pkcs8" }).toString();
    expect(
      await hexhook(["events", "show", "evt_1", "--body"], {
        cwd: folder,
        env: { ...env, AUDIT_SIGNING_KEY: key },
      }),
    ).toMatchObject({ code: 78, stdout: "" });
    expect(await service.entries()).toHaveLength(before);
  });
});

describe("hexhook events export", () => {
  const exported = (stdout: string) =>
    stdout
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { id: string; body: string });

  it("prints the matching events, oldest first, after one audit entry", async () => {
    const before = (await reads()).length;
    const { code, bytes, stderr, entriesBefore } = await runExact([
      "export",
      "--type",
      "a.*",
      "--since",
      "1d",
      "--as",
      "al",
    ]);
    expect([code, stderr]).toEqual([0, ""]);
    const events = exported(bytes.toString());
    expect(events.map(({ id }) => id)).toEqual(["evt_1", "evt_3"]);
    expect(events[0]).toMatchObject({
      source: "hex",
      type: "a.b",
      contentType: "application/json",
      body: BODIES.get("evt_1")!.toString("base64"),
      deliveries: [],
    });
    expect(entriesBefore[0]).toBe(before + 1);
    const entries = await reads();
    expect(entries).toHaveLength(before + 1);
    expect(entries.at(-1)).toMatchObject({
      userId: "operator:al",
      resource: "/events",
      metadata: {
        count: 2,
        filter: { type: "a.*", since: expect.stringMatching(/^\d{4}-.*Z$/) },
      },
    });
    const tail = await hexhook(["audit", "tail", "-n", "3"], {
      cwd: folder,
      env,
    });
    expect(tail.stdout).toMatch(
      /event\.read operator:al count=2 type=a\.\*\s+since=/,
    );
  });

  it("exports no more than --limit, and without a match writes no entry", async () => {
    const { stdout } = await run("export", "--limit", "2", "--json");
    expect(exported(stdout).map(({ id }) => id)).toEqual(["evt_1", "evt_2"]);
    const entries = await reads();
    expect(entries.at(-1)?.metadata).toEqual({ count: 2, filter: {} });
    expect(await run("export", "--source", "none")).toMatchObject({
      code: 0,
      stdout: "",
      stderr: "hexhook: no event matches\n",
    });
    expect(await reads()).toHaveLength(entries.length);
  });

  it("ends without an error when its reader closes the pipe, with its entry and an intact trail", async () => {
    const before = (await reads()).length;
    const { status, stdout, stderr } = spawnSync(
      "bash",
      [
        "--norc",
        "-o",
        "pipefail",
        "-c",
        '"$0" "$1" events export | head -c 1',
        process.execPath,
        CLI,
      ],
      { cwd: folder, env: environment(env), encoding: "utf8" },
    );
    expect([status, stdout, stderr]).toEqual([0, "{", ""]);
    expect(await reads()).toHaveLength(before + 1);
    await service.stop();
    const verified = await hexhook(["audit", "verify"], { cwd: folder, env });
    // The test has changed the body of evt_bin.
    expect(verified).toMatchObject({
      code: 1,
      stdout: expect.stringContaining("evt_bin"),
    });
  });
});

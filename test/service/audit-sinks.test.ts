import type { AuditRow } from "../../src/store/records.ts";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { Writable } from "node:stream";
import { startSinkPump } from "../../src/audit/sinks/sink-pump.ts";
import { createFileSink } from "../../src/audit/sinks/file-sink.ts";
import { SinkFault } from "../../src/audit/sinks/sink.ts";
import { createSinkHealth } from "../../src/audit/sinks/sink-health.ts";
import type { AuditDraft } from "../../src/audit/entry.ts";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { openStore } from "../../src/store/open.ts";
import {
  SIGNING_KEY,
  eventBody,
  SECRET,
  signed,
  sqliteUrl,
} from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { type Behaviour, startHexApi, status } from "../support/hex-api.ts";
import { hexhook } from "../support/hexhook.ts";
import {
  CLI,
  environment,
  freePort,
  serve,
  describeWithPython,
} from "../support/processes.ts";
import { readColumn } from "../support/store-file.ts";

const WRITE_KEY = "write-key-0123456789abcdef";

let folder: ReturnType<typeof temporaryFolder>;
let ends: (() => Promise<unknown>)[];

beforeEach(() => {
  folder = temporaryFolder();
  ends = [];
});

afterEach(async () => {
  for (const end of ends.reverse()) {
    await end();
  }
});

const inFolder = (name: string): string => path.join(folder.path, name);

/** All lines of the store, as they are. */
function storedLines(): string[] {
  return readColumn(
    inFolder("hexhook.db"),
    "SELECT line FROM audit_entry ORDER BY position",
  ) as string[];
}

const linesOf = (text: string): string[] =>
  text.split("\n").filter((line) => line !== "");

const ofSinks = (entries: readonly ParsedEntry[], sink: string): string[] =>
  entries
    .filter(({ metadata }) => metadata["sink"] === sink)
    .map(({ action }) => action);

async function start(
  env: Record<string, string>,
  deps = {},
): Promise<TestService> {
  const service = await startTestService(folder.path, { env, deps });
  ends.push(() => service.stop());
  return service;
}

async function post(service: TestService, id: string): Promise<void> {
  expect((await service.post(eventBody(id))).status).toBe(200);
}

describe("Hex analytics", () => {
  it("gets the trail in order, none lost, whatever the API does, and the same again only under the same key", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    const takenThenReset: Behaviour = (res, _call, take) => {
      take();
      res.destroy();
    };
    const elsewhere = await startHexApi();
    ends.push(() => elsewhere.stop());
    // A failure, then it works: so that the waits between stay short.
    const failures: Behaviour[] = [
      status(500),
      takenThenReset,
      status(302, { location: `${elsewhere.url}/v1/track` }),
      (res) => res.socket?.end("garbage\r\n\r\n"),
      status(429, { "retry-after": "1" }),
      (res) => {
        res.writeHead(503);
        res.write("x".repeat(200_000));
      },
      (res) => {
        res.writeHead(200, { "content-length": "10" }).write("{");
        setImmediate(() => res.destroy());
      },
      status(400),
      (res) =>
        res.writeHead(200, { "content-type": "text/html" }).end("<p>Log in"),
    ];
    const service = await start({
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
      HEX_API_KEY: "another-key-0123456789abcdef",
    });
    let n = 0;
    const arrived = (id: string): boolean =>
      api.entries.some(
        ({ action, metadata }) =>
          action === "delivery.succeeded" &&
          (metadata as { eventId?: string }).eventId === id,
      );
    for (const failure of [null, ...failures]) {
      api.plan.push(...(failure === null ? [] : [failure]));
      const id = `evt_${(n += 1)}`;
      await post(service, id);
      await eventually(() => arrived(id));
    }
    expect(api.plan).toEqual([]);
    await service.stop();

    const stored = storedLines().map((line): unknown => JSON.parse(line));
    expect(api.entries).toEqual(stored);
    expect(api.conflicts).toEqual([]);
    expect(elsewhere.calls).toEqual([]);
    for (const {
      method,
      path: place,
      key,
      idempotencyKey,
      body,
    } of api.calls) {
      expect([method, place, key]).toEqual([
        "POST",
        "/v1/track",
        `Bearer ${WRITE_KEY}`,
      ]);
      const [first] = [JSON.parse(body) as object].flat() as {
        event: string;
        properties: ParsedEntry;
      }[];
      const { writer, seq } = first!.properties.chain;
      expect(first!.event).toBe("audit");
      expect(idempotencyKey).toBe(`${writer}:${seq}`);
    }
    // None of these lasted: they are told of once a minute at most.
    const told = ofSinks(await service.entries(), "analytics");
    expect(told.length).toBeLessThanOrEqual(2);
    expect(service.log.text).not.toContain(WRITE_KEY);
  });

  it("that is down is told of once when it fails and once when it is back, and answers wait for nothing", async () => {
    const port = await freePort();
    const service = await start({
      HEX_API_URL: `http://127.0.0.1:${port}`,
      HEX_WRITE_KEY: WRITE_KEY,
    });
    for (let n = 0; n < 50; n += 1) {
      await post(service, `evt_${n}`);
    }
    await eventually(
      async () => ofSinks(await service.entries(), "analytics").length === 1,
    );
    const api = await startHexApi(port);
    ends.push(() => api.stop());
    await eventually(
      async () => ofSinks(await service.entries(), "analytics").length === 2,
    );
    await service.stop();
    const entries = await service.entries();
    expect(ofSinks(entries, "analytics")).toEqual([
      "audit.sink_degraded",
      "audit.sink_recovered",
    ]);
    expect(
      entries.find(({ action }) => action === "audit.sink_degraded"),
    ).toMatchObject({ result: "failure", metadata: { reason: "network" } });
    expect(api.entries).toEqual(
      storedLines().map((line): unknown => JSON.parse(line)),
    );
  });

  it("that refuses the key is told of at once, and gets everything once it takes it", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    api.otherwise(status(401));
    const service = await start({
      HEX_API_URL: `${api.url}/`,
      HEX_API_KEY: WRITE_KEY,
    });
    await post(service, "evt_1");
    await eventually(async () =>
      (await service.entries()).find(
        ({ action }) => action === "audit.sink_degraded",
      ),
    );
    expect(api.calls).toHaveLength(1);
    api.otherwise(null);
    await eventually(() => api.entries.length > 0);
    await service.stop();
    expect(api.entries).toEqual(
      storedLines().map((line): unknown => JSON.parse(line)),
    );
    expect(
      (await service.entries()).find(
        ({ action }) => action === "audit.sink_degraded",
      )?.metadata,
    ).toMatchObject({ sink: "analytics", reason: "status", status: 401 });
  });

  it("that is out of order over a restart is told of once, and once when it is back", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    api.otherwise(status(401));
    const env = { HEX_API_URL: api.url, HEX_WRITE_KEY: WRITE_KEY };
    const first = await start(env);
    await post(first, "evt_1");
    await eventually(
      async () => ofSinks(await first.entries(), "analytics").length === 1,
    );
    await first.stop();
    const second = await start(env);
    await eventually(() => api.calls.length >= 3);
    api.otherwise(null);
    await eventually(
      async () => ofSinks(await second.entries(), "analytics").length === 2,
    );
    await second.stop();
    expect(ofSinks(await second.entries(), "analytics")).toEqual([
      "audit.sink_degraded",
      "audit.sink_recovered",
    ]);
  });

  it("that finds a call too large gets smaller ones, each under a key of its own entries", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    const service = await start({
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
    });
    api.otherwise((res, { body }, take) => {
      if (body.length > 4000) {
        res.writeHead(413).end();
      } else {
        take();
        res.end();
      }
    });
    await Promise.all(
      Array.from({ length: 60 }, (_, n) => post(service, `evt_${n}`)),
    );
    await eventually(() => api.entries.length >= 120);
    await service.stop();
    expect(api.calls.some(({ body }) => body.length > 4000)).toBe(true);
    expect(api.entries).toEqual(
      storedLines().map((line): unknown => JSON.parse(line)),
    );
    expect(api.conflicts).toEqual([]);
  });

  it("that hangs is given up after a while and asked again, and does not hold up a stop", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    api.otherwise(() => undefined);
    const service = await start({
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
      SHUTDOWN_SECONDS: "1",
    });
    await post(service, "evt_1");
    await eventually(() => api.calls.length === 2);
    await service.stop();
    const before = api.calls.at(-1)!;
    api.otherwise(null);
    const next = await start({
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
    });
    await eventually(() => api.entries.length > 4);
    await next.stop();
    // What may have arrived is sent again as it was.
    const again = api.calls.find(
      ({ idempotencyKey }, n) =>
        n > api.calls.indexOf(before) &&
        idempotencyKey === before.idempotencyKey,
    );
    expect(again?.body).toBe(before.body);
    expect(api.entries).toEqual(
      storedLines().map((line): unknown => JSON.parse(line)),
    );
  });

  it("begins with the run that it was switched on in, and not with what was there before", async () => {
    const before = await start({});
    await post(before, "evt_old");
    await before.stop();
    const { length } = storedLines();
    const api = await startHexApi();
    ends.push(() => api.stop());
    const service = await start({
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
    });
    await post(service, "evt_new");
    await service.stop();
    expect(api.entries).toEqual(
      storedLines()
        .slice(length)
        .map((line): unknown => JSON.parse(line)),
    );
  });
});

describe("what is told of a sink", () => {
  it("is each time that it fails, also when it comes too soon to be told at once", () => {
    let now = 1_000_000;
    const told: AuditDraft[] = [];
    const health = createSinkHealth("stdout", {
      report: (draft) => told.push(draft),
      now: () => now,
    });
    const fail = (kind: SinkFault["kind"], retryAfterMs = 0): void => {
      const fault = new SinkFault("stuck", { kind, retryAfterMs });
      health.failed(fault, { position: 7, since: now - 10_000 });
    };
    const actions = (): string[] =>
      told.splice(0).map(({ action }) => action.slice("audit.sink_".length));
    fail("passing");
    expect(actions()).toEqual([]);
    health.worked(8);
    fail("blocked");
    now += 5000;
    health.worked(9);
    expect(actions()).toEqual(["degraded", "recovered"]);
    fail("blocked");
    now += 10_000;
    health.remind();
    expect(actions()).toEqual([]);
    now += 50_000;
    health.remind();
    health.remind();
    expect(actions()).toEqual(["degraded"]);
    expect(health.degradedSince()).toBe(995_000);
    health.worked(10);
    expect(health.degradedSince()).toBeNull();
    // What asks to be left alone for long takes nothing meanwhile.
    now += 60_000;
    fail("passing", 3_600_000);
    health.worked(11);
    expect(actions()).toEqual(["recovered", "degraded", "recovered"]);
    // What never works again is told of at once.
    fail("final");
    expect(actions()).toEqual(["degraded"]);
  });
});

describe("the process that feeds a sink", () => {
  it("notes that it is there also while the sink fails, so that nothing is purged that it has not had", async () => {
    let now = 1_000_000;
    const store = await openStore(sqliteUrl(inFolder("hexhook.db")), {
      writer: "w",
      signingKey: SIGNING_KEY,
      now: () => now,
      onFatal: () => undefined,
      delivers: false,
    });
    ends.push(() => store.close());
    const position = { position: 0, sending: 0, degradedSince: null };
    await store.saveSinkPosition("file", position);
    await store.append({
      at: now,
      action: "store.failed",
      userId: "system",
      resource: "store",
      result: "failure",
      metadata: {},
    });
    now += 30 * 3_600_000;
    const feeder = startSinkPump({
      store,
      sink: {
        ...createFileSink(inFolder("none/audit.log")),
        shared: true,
      },
      noted: position,
      report: () => undefined,
      now: () => now,
      random: () => 0,
      onError: () => undefined,
    });
    ends.push(() => feeder.stop(0));
    const seen = await eventually(async () =>
      (await store.notedSinks()).find(({ savedAt }) => savedAt === now),
    );
    expect(seen).toMatchObject({ name: "file", position: 0 });
  });
});

describe("a process that waits for its turn at a sink", () => {
  it("leaves what the one that feeds it has noted as it is, also when it stops", async () => {
    const store = await openStore(sqliteUrl(inFolder("hexhook.db")), {
      writer: "w",
      signingKey: SIGNING_KEY,
      now: Date.now,
      onFatal: () => undefined,
      delivers: false,
    });
    ends.push(() => store.close());
    const noted = { position: 7, sending: 9, degradedSince: 1_000_000 };
    await store.saveSinkPosition("file", noted);
    let asked = 0;
    const feeder = startSinkPump({
      store: {
        ...store,
        tryLeaseSinks: async () => {
          asked += 1;
          return false;
        },
      },
      sink: createFileSink(inFolder("audit.log")),
      // From when it came: the other has gone on since.
      noted: { position: 0, sending: 0, degradedSince: null },
      report: () => undefined,
      now: Date.now,
      random: () => 0,
      onError: () => undefined,
    });
    ends.push(() => feeder.stop(0));
    await eventually(() => asked === 2);
    expect(await store.sinkPosition("file")).toEqual(noted);
    await feeder.stop(0);
    expect(await store.sinkPosition("file")).toEqual(noted);
  });
});

describe("AUDIT_FILE", () => {
  it("has the lines of the store, goes on after a restart, and is opened again when it was moved away", async () => {
    const AUDIT_FILE = inFolder("audit.log");
    const first = await start({ AUDIT_FILE });
    await post(first, "evt_1");
    await first.stop();
    expect(statSync(AUDIT_FILE).mode & 0o077).toBe(0);
    expect(linesOf(readFileSync(AUDIT_FILE, "utf8"))).toEqual(storedLines());

    const second = await start({ AUDIT_FILE });
    await post(second, "evt_2");
    await eventually(() => readFileSync(AUDIT_FILE, "utf8").includes("evt_2"));
    renameSync(AUDIT_FILE, `${AUDIT_FILE}.1`);
    await second.reload();
    await post(second, "evt_3");
    await eventually(
      () =>
        existsSync(AUDIT_FILE) &&
        readFileSync(AUDIT_FILE, "utf8").includes("evt_3"),
    );
    renameSync(AUDIT_FILE, `${AUDIT_FILE}.2`);
    await post(second, "evt_4");
    await second.stop();
    const files = [`${AUDIT_FILE}.1`, `${AUDIT_FILE}.2`, AUDIT_FILE];
    const lines = files.map((file) => linesOf(readFileSync(file, "utf8")));
    expect(lines.flat()).toEqual(storedLines());
    expect(lines[1]!.join()).toContain("evt_3");
    expect(lines[2]!.join()).toContain("evt_4");
    const { code } = await hexhook(["audit", "verify", ...files], {
      cwd: folder.path,
    });
    expect(code).toBe(0);
  });

  it("that is full in the middle of a line has no torn one, and goes on where it was", async () => {
    const AUDIT_FILE = inFolder("audit.log");
    // What may be written ends a little behind what is there already.
    const limit = 40 * 1024 * 1024;
    const before = limit - 5000;
    writeFileSync(AUDIT_FILE, "");
    truncateSync(AUDIT_FILE, before - 1);
    appendFileSync(AUDIT_FILE, "\n");
    const server = await serve(folder.path, { AUDIT_FILE }, [
      "bash",
      "-c",
      `ulimit -f ${limit / 1024}; exec "$@"`,
      "bash",
    ]);
    ends.push(() => server.stop());
    const degraded = (): boolean =>
      server.stdout().includes("audit.sink_degraded");
    for (let n = 0; n < 40 || !degraded(); n += 1) {
      const body = eventBody(`evt_${n}`);
      expect((await server.post(body, signed(body))).status).toBe(200);
    }
    const added = (): string =>
      readFileSync(AUDIT_FILE).toString("latin1", before);
    expect(added()).toMatch(/"}\n$/);
    const old = linesOf(added());
    expect(old.length).toBeGreaterThan(0);
    renameSync(AUDIT_FILE, `${AUDIT_FILE}.1`);
    await eventually(() => server.stdout().includes("audit.sink_recovered"));
    await server.stop();
    expect([...old, ...linesOf(readFileSync(AUDIT_FILE, "utf8"))]).toEqual(
      storedLines(),
    );
  });

  it("that cannot be written is told of, catches up later, and holds up nothing", async () => {
    const AUDIT_FILE = inFolder("audit.log");
    const service = await start({ AUDIT_FILE });
    await post(service, "evt_1");
    await eventually(() => readFileSync(AUDIT_FILE, "utf8").includes("evt_1"));
    renameSync(AUDIT_FILE, `${AUDIT_FILE}.1`);
    mkdirSync(AUDIT_FILE);
    for (let n = 2; n < 30; n += 1) {
      await post(service, `evt_${n}`);
    }
    await eventually(async () =>
      ofSinks(await service.entries(), "file").includes("audit.sink_degraded"),
    );
    rmdirSync(AUDIT_FILE);
    await eventually(async () =>
      ofSinks(await service.entries(), "file").includes("audit.sink_recovered"),
    );
    await service.stop();
    expect(ofSinks(await service.entries(), "file")).toEqual([
      "audit.sink_degraded",
      "audit.sink_recovered",
    ]);
    const files = [`${AUDIT_FILE}.1`, AUDIT_FILE];
    expect(
      files.flatMap((file) => linesOf(readFileSync(file, "utf8"))),
    ).toEqual(storedLines());
  });

  it("is fed by one of two services on a store, and by the other when that one ends", async () => {
    const AUDIT_FILE = inFolder("audit.log");
    const one = await start({ AUDIT_FILE });
    const two = await start({ AUDIT_FILE });
    for (let n = 0; n < 20; n += 1) {
      await post(n % 2 === 0 ? one : two, `evt_${n}`);
    }
    await eventually(
      () => linesOf(readFileSync(AUDIT_FILE, "utf8")).length >= 44,
    );
    await one.stop();
    await post(two, "evt_last");
    await eventually(() =>
      readFileSync(AUDIT_FILE, "utf8").includes("evt_last"),
    );
    await two.stop();
    expect(linesOf(readFileSync(AUDIT_FILE, "utf8"))).toEqual(storedLines());
    // Each prints everything on its own stdout.
    expect(one.stdout.text).toContain('"eventId":"evt_19"');
    expect(two.stdout.text).toContain('"eventId":"evt_0"');
  });

  it.each([
    ["a folder", () => folder.path],
    ["in a folder that is not there", () => inFolder("none/audit.log")],
    ["a device", () => "/dev/null"],
  ])("that is %s is wrong configuration", async (_what, file) => {
    await expect(
      startTestService(folder.path, { env: { AUDIT_FILE: file() } }),
    ).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^AUDIT_FILE: cannot be opened/),
    });
  });

  it("that ends in a torn line of ours loses it, and one that somebody else left is kept", async () => {
    const row = (n: number): AuditRow => ({
      position: n,
      writer: "w",
      line: `{"timestamp":"2026-11-23T18:00:00.000Z","n":${n}}`,
    });
    const file = inFolder("audit.log");
    const { signal } = new AbortController();
    writeFileSync(file, `${row(1).line}\n${row(2).line.slice(0, 30)}`);
    let sink = createFileSink(file);
    expect(await sink.lastLine?.()).toBe(row(1).line);
    await sink.write([row(2)], signal);
    await sink.close?.();
    expect(readFileSync(file, "utf8")).toBe(`${row(1).line}\n${row(2).line}\n`);
    writeFileSync(file, "somebody else's");
    sink = createFileSink(file);
    await sink.write([row(1)], signal);
    await sink.close?.();
    expect(readFileSync(file, "utf8")).toBe(
      `somebody else's\n${row(1).line}\n`,
    );
  });
});

describe("stdout", () => {
  /** The memory that a process holds, in bytes. */
  const memoryOf = (pid: number): number =>
    Number(
      /^VmRSS:\s+(\d+) kB$/m.exec(
        readFileSync(`/proc/${pid}/status`, "utf8"),
      )![1],
    ) * 1024;

  it("whose reader is stuck, and then gone, holds up no answer, takes no memory, and is caught up with by the next start", async () => {
    const port = await freePort();
    writeFileSync(inFolder("none.mjs"), "export default {};\n");
    const child = spawn(process.execPath, [CLI, "serve"], {
      cwd: folder.path,
      env: {
        HEX_SECRET: SECRET,
        PORT: String(port),
        HOST: "127.0.0.1",
        ADMIN_PORT: "0",
        HANDLERS: "none.mjs",
        DRAIN_SECONDS: "0",
        DATABASE_URL: "sqlite:hexhook.db",
      },
      stdio: ["ignore", "pipe", "ignore"],
    });
    ends.push(async () => child.kill("SIGKILL"));
    const url = `http://127.0.0.1:${port}`;
    await eventually(() =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    let sent = 0;
    const load = async (count: number): Promise<void> => {
      const until = sent + count;
      const send = async (): Promise<void> => {
        while (sent < until) {
          const body = eventBody(`evt_${(sent += 1)}`);
          const { status: code } = await fetch(`${url}/webhooks/hex`, {
            method: "POST",
            headers: signed(body),
            body: new Uint8Array(body),
          });
          expect(code).toBe(200);
        }
      };
      await Promise.all(Array.from({ length: 16 }, send));
    };
    // Nobody reads: the pipe is full soon. What comes then is warm, and what comes after that would heap up.
    await load(3000);
    const before = memoryOf(child.pid!);
    await load(9000);
    expect(memoryOf(child.pid!) - before).toBeLessThan(40_000_000);

    const printed: Buffer[] = [];
    child.stdout.destroy();
    await load(500);
    expect((await fetch(`${url}/readyz`)).status).toBe(200);
    const tail = await hexhook(["audit", "tail", "--json"], {
      cwd: folder.path,
      env: { DATABASE_URL: "sqlite:hexhook.db" },
    });
    const told = linesOf(tail.stdout);
    expect(told.filter((l) => l.includes("webhook.accepted"))).toHaveLength(
      sent,
    );
    child.kill("SIGTERM");
    await once(child, "close");
    const entries = await readTrail(inFolder("hexhook.db"));
    expect(ofSinks(entries, "stdout")).toEqual(["audit.sink_degraded"]);

    // The next start prints what nobody has read: all but what went into the pipe.
    const stdout = new Writable({
      write(chunk: Buffer, _encoding, callback) {
        printed.push(chunk);
        callback();
      },
    });
    const next = await start({}, { stdout });
    await next.stop();
    const lines = linesOf(Buffer.concat(printed).toString());
    const stored = storedLines().map((line) => `[AUDIT] ${line}`);
    expect(lines.length).toBeGreaterThan(12_000);
    expect(lines).toEqual(stored.slice(-lines.length));
  });
});

describeWithPython("a terminal without a reader", () => {
  it("holds up no answer", async () => {
    const port = await freePort();
    // A pseudo-terminal, as `docker run -t` has it, whose other side is left alone.
    const terminal =
      "import os, pty, signal, sys\n" +
      "pid, fd = pty.fork()\n" +
      "if pid == 0: os.execv(sys.argv[1], sys.argv[1:])\n" +
      "signal.signal(signal.SIGTERM, lambda *_: os.kill(pid, signal.SIGTERM))\n" +
      "sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))\n";
    const child = spawn(
      "python3",
      ["-c", terminal, process.execPath, CLI, "serve"],
      {
        cwd: folder.path,
        env: environment({
          HEX_SECRET: SECRET,
          PORT: String(port),
          HOST: "127.0.0.1",
          ADMIN_PORT: "0",
          DRAIN_SECONDS: "0",
          DATABASE_URL: "sqlite:hexhook.db",
        }),
        stdio: "ignore",
      },
    );
    const exited = once(child, "exit");
    const url = `http://127.0.0.1:${port}`;
    await eventually(() =>
      fetch(`${url}/readyz`).then(
        ({ ok }) => ok,
        () => false,
      ),
    );
    for (let round = 0; round < 20; round += 1) {
      const answers = await Promise.all(
        Array.from({ length: 20 }, async (_, n) => {
          const body = eventBody(`evt_${round}_${n}`);
          const answer = await fetch(`${url}/webhooks/hex`, {
            method: "POST",
            headers: signed(body),
            body: new Uint8Array(body),
            signal: AbortSignal.timeout(5000),
          });
          return answer.status;
        }),
      );
      expect(new Set(answers)).toEqual(new Set([200]));
    }
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});

describe("a service that is killed again and again", () => {
  it("has an entry for each event and an event for each entry, its chain goes on, and every sink is told everything", async () => {
    const api = await startHexApi();
    ends.push(() => api.stop());
    const env = {
      AUDIT_FILE: "audit.log",
      HEX_API_URL: api.url,
      HEX_WRITE_KEY: WRITE_KEY,
    };
    const outputs: string[] = [];
    let n = 0;
    for (let round = 0; round < 12; round += 1) {
      const server = await serve(folder.path, env);
      const killAfter = n + randomInt(5, 150);
      const send = async (): Promise<void> => {
        for (;;) {
          const body = eventBody(`evt_${(n += 1)}`);
          if (n >= killAfter) {
            server.child.kill("SIGKILL");
          }
          try {
            await server.post(body, signed(body));
          } catch {
            return;
          }
        }
      };
      await Promise.all(Array.from({ length: 8 }, send));
      await server.exited;
      outputs.push(server.stdout());
    }
    const last = await serve(folder.path, env);
    await last.stop();
    outputs.push(last.stdout());

    const entries = await readTrail(inFolder("hexhook.db"));
    const events = readColumn(
      inFolder("hexhook.db"),
      "SELECT id FROM event ORDER BY seq",
    );
    expect(events.length).toBeGreaterThan(50);
    expect(
      entries
        .filter(({ action }) => action === "webhook.accepted")
        .map(({ metadata }) => metadata["eventId"]),
    ).toEqual(events);

    const stored = storedLines();
    expect(linesOf(readFileSync(inFolder("audit.log"), "utf8"))).toEqual(
      stored,
    );
    expect(api.entries).toEqual(
      stored.map((line): unknown => JSON.parse(line)),
    );
    expect(api.conflicts).toEqual([]);
    // stdout may have had some twice, and torn ones: its verifier knows why, and everything is there.
    const printed = outputs.join("");
    const verdict = await hexhook(["audit", "verify", "--json", "-"], {
      cwd: folder.path,
      input: printed,
    });
    expect(JSON.parse(verdict.stdout)).toMatchObject({ verdict: "intact" });
    expect(verdict.code).toBe(0);
    const missing = stored.filter((line) => !printed.includes(line));
    expect(missing).toEqual([]);
  });
});

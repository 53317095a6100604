import { beforeEach, describe, expect, it } from "@jest/globals";
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
import type { ServiceDeps } from "../../src/app/service.ts";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { hexhook } from "../support/hexhook.ts";
import { type Behaviour, startHexApi, status } from "../support/hex-api.ts";
import { withSeed } from "../support/seeded-random.ts";
import { expectKillsMissNoSink } from "../support/kill-with-sinks.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { freePort, serve } from "../support/processes.ts";
import { startTestService, type TestService } from "../support/service.ts";
import { openFile, readColumn } from "../support/store-file.ts";
import {
  attachStrace,
  describeUnderStrace,
  underStrace,
} from "../support/strace.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const WRITE_KEY = "write-key-0123456789abcdef";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string): string => path.join(folder.path, name);

/** Returns all lines of the store, unchanged. */
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

/** A service whose sinks retry at once. */
const start = (
  env: Record<string, string>,
  deps: Partial<ServiceDeps> = {},
): Promise<TestService> =>
  startTestService(folder.path, {
    env,
    deps: { sinkTimes: { poll: 20, retryWaits: [20] }, ...deps },
  });

async function post(service: TestService, id: string): Promise<void> {
  expect((await service.post(eventBody(id))).status).toBe(200);
}

describe("Hex analytics", () => {
  it("receives the complete trail in order despite failures of the API, and repeats only under the same key", async () => {
    const api = await startHexApi();
    const takenThenReset: Behaviour = (res, _call, take) => {
      take();
      res.destroy();
    };
    const elsewhere = await startHexApi();
    // Each failure is followed by a success. Another test has a lasting failure.
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
    // None of these failures lasted, so they are reported at most once a minute.
    const reports = ofSinks(await service.entries(), "analytics");
    expect(reports.length).toBeLessThanOrEqual(2);
    expect(service.log.text).not.toContain(WRITE_KEY);
  });

  it("is reported once when it fails and once when it recovers, and delays no response", async () => {
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

  it("is reported at once when it rejects the key, and receives everything after it accepts the key", async () => {
    const api = await startHexApi();
    const held: (() => void)[] = [];
    api.plan.push(status(401));
    api.otherwise((res, _call, take) => {
      held.push(() => {
        take();
        res.end();
      });
    });
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
    // A single failure is reported: the second call has no response yet.
    await eventually(() => held.length > 0);
    expect(api.calls).toHaveLength(2);
    api.otherwise(null);
    held[0]!();
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

  it("is reported once when it is down across a restart, and once when it recovers", async () => {
    const api = await startHexApi();
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

  it("receives smaller calls after one was too large, each under the key of its first entry", async () => {
    const api = await startHexApi();
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

  it("is called again after a call hangs, and does not delay a shutdown", async () => {
    const api = await startHexApi();
    api.otherwise(() => undefined);
    const service = await start(
      {
        HEX_API_URL: api.url,
        HEX_WRITE_KEY: WRITE_KEY,
        SHUTDOWN_SECONDS: "1",
      },
      { hexTimeoutMs: 200 },
    );
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
    // Entries that may have arrived are sent again in the same call.
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

  it("starts with the run in which it was enabled, not with older entries", async () => {
    const before = await start({});
    await post(before, "evt_old");
    await before.stop();
    const { length } = storedLines();
    const api = await startHexApi();
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

describe("AUDIT_FILE", () => {
  it("has the lines of the store, continues after a restart, and is opened again after it was moved", async () => {
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

  it("has no incomplete line after its disk was full in the middle of one, and continues", async () => {
    const AUDIT_FILE = inFolder("audit.log");
    // The limit is a little larger than the current file.
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

  it("is reported when it cannot be written, catches up later, and delays nothing", async () => {
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

  it("is written by one of two services on a store, and by the other after the first one ends", async () => {
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
    // Each service prints all entries on its own stdout.
    expect(one.stdout.text).toContain('"eventId":"evt_19"');
    expect(two.stdout.text).toContain('"eventId":"evt_0"');
  });

  it.each([
    ["a directory", () => folder.path],
    ["in a missing directory", () => inFolder("none/audit.log")],
    ["a device", () => "/dev/null"],
  ])("that is %s is a configuration error", async (_what, file) => {
    await expect(
      startTestService(folder.path, { env: { AUDIT_FILE: file() } }),
    ).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^AUDIT_FILE: the file cannot be opened/),
    });
  });
});

describeUnderStrace(
  underStrace("AUDIT_FILE on a disk that does not sync"),
  () => {
    it("gets entries again if their sync failed, and they do not count as accepted before", async () => {
      const AUDIT_FILE = inFolder("audit.log");
      const server = await serve(folder.path, {
        AUDIT_FILE,
        HANDLERS: noHandlers(folder.path),
      });
      await eventually(() =>
        readFileSync(AUDIT_FILE, "utf8").includes("audit.checkpoint"),
      );
      const { detach } = await attachStrace(server.child.pid!, [
        ...["-e", "trace=fsync,fdatasync"],
        ...["-e", "inject=fsync,fdatasync:error=EIO", "-P", AUDIT_FILE],
      ]);
      const body = eventBody("evt_unsynced");
      expect((await server.post(body, signed(body))).status).toBe(200);
      const noted = (): { position: number; degraded_since: number | null } => {
        const db = openFile(inFolder("hexhook.db"), { readOnly: true });
        try {
          return db
            .prepare<[], ReturnType<typeof noted>>(
              "SELECT position, degraded_since FROM audit_sink WHERE name = 'file'",
            )
            .get()!;
        } finally {
          db.close();
        }
      };
      // The position was saved again after the failures.
      await eventually(() => noted().degraded_since !== null);
      const [position] = readColumn(
        inFolder("hexhook.db"),
        "SELECT position FROM audit_entry WHERE line LIKE '%evt_unsynced%'",
      );
      expect(noted().position).toBeLessThan(Number(position));
      expect(server.stdout()).toMatch(
        /audit\.sink_degraded.*"sink":"file".*"reason":"EIO"/,
      );

      await detach();
      await eventually(() => server.stdout().includes("audit.sink_recovered"));
      expect(await server.stop()).toMatchObject({ code: 0 });
      expect(linesOf(readFileSync(AUDIT_FILE, "utf8"))).toEqual(storedLines());
    });
  },
);

describe("a service that is killed repeatedly", () => {
  it("has an entry for each event and an event for each entry, a valid chain, and complete sinks", async () => {
    await withSeed((random) =>
      expectKillsMissNoSink(folder.path, { rounds: 3, random }),
    );
  });
});

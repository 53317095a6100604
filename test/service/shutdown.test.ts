import { beforeEach, describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { eventBody, SECRET, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import {
  CLI,
  environment,
  freePort,
  hexhookProcess,
  serve,
} from "../support/processes.ts";
import { openFile } from "../support/store-file.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

describe("SIGTERM", () => {
  it("completes all requests in progress, writes the last entry, and exits with 0", async () => {
    const server = await serve(folder.path, { DRAIN_SECONDS: "3" });
    const statuses: number[] = [];
    const agent = new Agent({ keepAlive: true });
    let connectionClosed = false;
    let sending = true;
    let sent = 0;

    const post = (): Promise<void> =>
      new Promise((resolve, reject) => {
        sent += 1;
        const body = eventBody(`evt_${sent}`);
        const req = request(
          `${server.url}/webhooks/hex`,
          { method: "POST", agent, headers: signed(body) },
          (res) => {
            statuses.push(res.statusCode ?? 0);
            connectionClosed ||= res.headers.connection === "close";
            res.resume();
            res.on("end", resolve);
          },
        );
        req.on("error", reject);
        req.end(body);
      });
    const lane = async (): Promise<void> => {
      while (sending) {
        await post();
      }
    };
    const lanes = Promise.all(Array.from({ length: 8 }, lane));
    await eventually(() => statuses.length > 100);

    server.child.kill("SIGTERM");
    await eventually(async () => {
      const ready = await fetch(`${server.url}/readyz`);
      return ready.status === 503;
    });
    const before = statuses.length;
    await eventually(() => statuses.length > before + 20);
    sending = false;
    await lanes;
    const { code } = await server.exited;

    expect(new Set(statuses)).toEqual(new Set([200]));
    expect(connectionClosed).toBe(true);
    expect(code).toBe(0);
    const entries = await readTrail(path.join(folder.path, "hexhook.db"));
    expect(entries.at(-1)).toMatchObject({ action: "audit.checkpoint" });
    expect(entries.at(-2)).toMatchObject({
      action: "server.stopped",
      metadata: { reason: "SIGTERM" },
    });
    const accepted = entries.filter(
      ({ action }) => action === "webhook.accepted",
    );
    expect(accepted).toHaveLength(statuses.length);
    const printed = server.stdout().trimEnd().split("\n");
    expect(printed).toHaveLength(entries.length);
    agent.destroy();
  });

  it("completes a request whose body is still arriving", async () => {
    const server = await serve(folder.path);
    const body = eventBody("evt_slow");
    const head = Object.entries({
      host: "h",
      "content-length": String(body.length),
      ...signed(body),
    })
      .map(([name, value]) => `${name}: ${value}\r\n`)
      .join("");
    const socket = connect(server.port, "127.0.0.1");
    let text = "";
    socket.on("data", (chunk) => {
      text += chunk.toString();
    });
    socket.write(`POST /webhooks/hex HTTP/1.1\r\n${head}\r\n`);
    socket.write(body.subarray(0, 5));
    await eventually(
      async () =>
        new Promise<boolean>((resolve) => {
          // The bytes have arrived when a later request of another connection has its response.
          fetch(`${server.url}/livez`).then(
            ({ ok }) => {
              resolve(ok);
            },
            () => {
              resolve(false);
            },
          );
        }),
    );

    server.child.kill("SIGTERM");
    await eventually(() => server.stderr().includes("stopping"));
    socket.write(body.subarray(5));
    const { code } = await server.exited;

    expect(text).toMatch(/^HTTP\/1\.1 200 /);
    expect(text.toLowerCase()).toContain("connection: close");
    expect(code).toBe(0);
  });

  it("ends within SHUTDOWN_SECONDS although a connection and an attempt do not end", async () => {
    writeFileSync(
      path.join(folder.path, "handlers.mjs"),
      `export default { "*": () => new Promise(() => setInterval(() => {}, 1e6)) };`,
    );
    const server = await serve(folder.path, {
      SHUTDOWN_SECONDS: "3",
      ATTEMPT_TIMEOUT: "1h",
      HANDLERS: "handlers.mjs",
    });
    const body = eventBody("evt_1");
    expect((await server.post(body, signed(body))).status).toBe(200);
    const socket = connect(server.port, "127.0.0.1");
    socket.on("error", () => undefined);
    socket.write(
      "POST /webhooks/hex HTTP/1.1\r\nhost: h\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{",
    );
    await fetch(`${server.url}/livez`);
    expect(await server.stop()).toEqual({ code: 0, signal: null });
    socket.destroy();
    const entries = await readTrail(path.join(folder.path, "hexhook.db"));
    expect(entries.at(-2)).toMatchObject({ action: "server.stopped" });
  });

  it("serves for DRAIN_SECONDS even if SHUTDOWN_SECONDS is less", async () => {
    const server = await serve(folder.path, {
      DRAIN_SECONDS: "2",
      SHUTDOWN_SECONDS: "1",
    });
    const stopped = server.stop();
    await eventually(async () => {
      const ready = await fetch(`${server.url}/readyz`);
      return ready.status === 503;
    });
    const body = eventBody("evt_1");
    expect((await server.post(body, signed(body))).status).toBe(200);
    expect(await stopped).toEqual({ code: 0, signal: null });
  });

  it("writes the entries of interrupted requests before server.stopped", async () => {
    const server = await serve(folder.path, { SHUTDOWN_SECONDS: "1" });
    const head =
      "POST /webhooks/hex HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n";
    let reading = 0;
    const sockets = Array.from({ length: 8 }, () => {
      const socket = connect(server.port, "127.0.0.1");
      socket.on("error", () => undefined);
      socket.once("data", () => {
        reading += 1;
      });
      socket.write(head);
      return socket;
    });
    // Each got 100 Continue, so its body is being read.
    await eventually(() => reading === sockets.length);
    await server.stop();
    sockets.forEach((socket) => socket.destroy());
    const trail = await readTrail(path.join(folder.path, "hexhook.db"));
    const actions = trail.map(({ action }) => action);
    expect(actions.slice(-2)).toEqual(["server.stopped", "audit.checkpoint"]);
    expect(actions.filter((action) => action === "http.rejected")).toHaveLength(
      sockets.length,
    );
  });

  it("exits with 1 at the second signal under load, and never during a call of SQLite", async () => {
    for (let round = 0; round < 3; round += 1) {
      const server = await serve(folder.path, { DRAIN_SECONDS: "60" });
      let answered = 0;
      const send = async (lane: number): Promise<void> => {
        try {
          for (let n = 0; ; n += 1) {
            const body = eventBody(`evt_${round}_${lane}_${n}`);
            await server.post(body, signed(body));
            answered += 1;
          }
        } catch {
          // The service has ended.
        }
      };
      const lanes = Array.from({ length: 16 }, (_, lane) => send(lane));
      await eventually(() => answered > 200);
      await eventually(() => {
        server.child.kill("SIGTERM");
        return server.child.exitCode !== null || server.child.signalCode;
      });
      expect(await server.exited).toEqual({ code: 1, signal: null });
      await Promise.all(lanes);
    }
  });

  it("exits with 1 immediately at the second signal", async () => {
    const server = await serve(folder.path, { DRAIN_SECONDS: "60" });
    server.child.kill("SIGTERM");
    await eventually(() => server.stderr().includes("stopping"));
    // A second signal within 100 ms is ignored, so it is sent until the process ends.
    await eventually(() => {
      server.child.kill("SIGINT");
      return server.child.exitCode !== null;
    });
    const { code } = await server.exited;
    expect(code).toBe(1);
  });
});

describe("serve", () => {
  it("creates files that only its user can read, and writes no audit line to stderr", async () => {
    const server = await serve(folder.path);
    const body = eventBody("evt_1");
    const answer = await server.post(body, signed(body));
    expect(answer.status).toBe(200);
    const file = path.join(folder.path, "hexhook.db");
    expect(statSync(file).mode & 0o077).toBe(0);
    expect(existsSync(`${file}-wal`)).toBe(true);
    expect(statSync(`${file}-wal`).mode & 0o077).toBe(0);
    await server.stop();

    expect(server.stderr()).not.toContain("[AUDIT]");
    const lines = server.stderr().trimEnd().split("\n");
    for (const line of lines) {
      expect(JSON.parse(line)).toMatchObject({
        level: expect.stringMatching(/^(?:info|warn)$/),
      });
    }
    expect(server.stderr()).toContain("/webhooks/hex");
  });
});

describe("a failed startup", () => {
  it("closes what it has opened, so that another startup can use it", async () => {
    const first = await startTestService(folder.path);
    await expect(
      startTestService(folder.path, {
        env: {
          PORT: String(first.port),
          DATABASE_URL: `sqlite:${folder.path}/second.db`,
        },
      }),
    ).rejects.toMatchObject({
      name: "ConfigError",
      message: expect.stringMatching(/^PORT: cannot listen on this address/),
    });
    const entries = await readTrail(path.join(folder.path, "second.db"));
    expect(entries.at(-1)).toMatchObject({ action: "audit.checkpoint" });
    expect(entries.at(-2)).toMatchObject({
      action: "server.stopped",
      result: "failure",
      metadata: { reason: "start failed" },
    });
    await first.stop();
  });

  it("writes no entry when the audit trail cannot start", async () => {
    await expect(
      startTestService(folder.path, { env: { AUDIT_FILE: folder.path } }),
    ).rejects.toMatchObject({ name: "ConfigError" });
    expect(await readTrail(path.join(folder.path, "hexhook.db"))).toEqual([]);
  });

  it("accepts no requests and exits with 70 when the store is corrupt", async () => {
    const file = path.join(folder.path, "hexhook.db");
    await (await startTestService(folder.path)).stop();
    const db = openFile(file);
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const size = Number(db.pragma("page_size"));
    const [index] = db
      .prepare<[], { rootpage: number }>(
        "SELECT rootpage FROM sqlite_schema WHERE name = 'delivery_exhausted_to'",
      )
      .all();
    db.close();
    const bytes = readFileSync(file);
    bytes.fill(0xff, (index!.rootpage - 1) * size, index!.rootpage * size);
    writeFileSync(file, bytes);
    const port = String(await freePort());
    const { code, stderr } = await hexhookProcess(["serve"], {
      cwd: folder.path,
      env: {
        HEX_SECRET: SECRET,
        HOST: "127.0.0.1",
        PORT: port,
        ADMIN_PORT: "0",
        DATABASE_URL: "sqlite:hexhook.db",
      },
    });
    expect(stderr).toContain("SQLITE_CORRUPT");
    expect(code).toBe(70);
  });

  it("ends with a shutdown when a signal interrupts it", async () => {
    const port = await freePort();
    const child = spawn(process.execPath, [CLI, "serve"], {
      cwd: folder.path,
      env: environment({
        HEX_SECRET: SECRET,
        HOST: "127.0.0.1",
        PORT: String(port),
        ADMIN_PORT: "0",
        DRAIN_SECONDS: "0",
        DATABASE_URL: "sqlite:hexhook.db",
      }),
      stdio: ["ignore", "pipe", "ignore"],
    });
    let printed = "";
    child.stdout.on("data", (chunk: Buffer) => {
      printed += chunk.toString();
    });
    const exited = once(child, "exit");
    // One of the first parts that start prints this entry.
    await eventually(() => printed.includes("server.started"));
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
    const entries = await readTrail(path.join(folder.path, "hexhook.db"));
    expect(entries.at(-2)).toMatchObject({
      action: "server.stopped",
      result: "success",
      metadata: { reason: "SIGTERM" },
    });
  });
});

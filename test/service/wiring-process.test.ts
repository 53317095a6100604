import { describe, expect, it } from "@jest/globals";
import { writeFileSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { freePort, serve } from "../support/processes.ts";
import { inProject } from "../support/project.ts";
import { readTrail } from "../support/read-trail.ts";
import { openFile } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* How `hexhook serve` uses the machine and the configuration, observed from outside the process. */

type Serving = Awaited<ReturnType<typeof serve>>;

const HOUR_MS = 3_600_000;

function rows<T>(folder: string, sql: string): T[] {
  const db = openFile(path.join(folder, "hexhook.db"), { readOnly: true });
  try {
    return db.prepare<[], T>(sql).all();
  } finally {
    db.close();
  }
}

function noHandlers(folder: string): string {
  writeFileSync(path.join(folder, "none.mjs"), "export default {};\n");
  return "none.mjs";
}

async function deliver(serving: Serving, id: string): Promise<void> {
  const body = eventBody(id);
  expect((await serving.post(body, signed(body))).status).toBe(200);
}

const isRefused = async (port: number): Promise<boolean> => {
  const socket = connect(port, "127.0.0.1");
  const rejected = await new Promise<boolean>((resolve) => {
    socket.on("error", () => {
      resolve(true);
    });
    socket.on("connect", () => {
      resolve(false);
    });
  });
  socket.destroy();
  return rejected;
};

describe("the randomness of a process", () => {
  it("spreads retries over ±20 % of the wait, and gives processes and attempts unique ids", async () => {
    const folder = temporaryFolder().path;
    // A status that does not open the circuit breaker.
    const destination = await startDestination(reply(422));
    const env = {
      FORWARD_URL: destination.url,
      HANDLERS: noHandlers(folder),
      RETRY_SCHEDULE: "1h",
    };
    const first = await serve(folder, env);
    const many = 24;
    for (let n = 0; n < many; n += 1) {
      await deliver(first, `evt_${n}`);
    }
    await eventually(
      () => rows(folder, "SELECT 1 FROM attempt WHERE ok = 0").length === many,
    );
    const waits = rows<{ wait: number }>(
      folder,
      "SELECT due_at - ended_at AS wait FROM delivery JOIN attempt ON delivery_id = id WHERE state = 'pending'",
    ).map(({ wait }) => wait / HOUR_MS);
    expect(waits).toHaveLength(many);
    const [least, most] = [Math.min(...waits), Math.max(...waits)];
    expect(least).toBeGreaterThanOrEqual(0.8);
    expect(most).toBeLessThanOrEqual(1.2);
    // By chance, all are within a quarter of the range in one of 10^12 runs.
    expect(most - least).toBeGreaterThan(0.1);
    await first.stop();

    const second = await serve(folder, env);
    await deliver(second, "evt_of_another_process");
    await eventually(() => destination.attempts.length === many + 1);
    await second.stop();

    const entries = await readTrail(path.join(folder, "hexhook.db"));
    const writers = new Set(entries.map(({ chain }) => chain.writer));
    expect(writers.size).toBe(2);
    for (const writer of writers) {
      expect(writer).toMatch(/^[0-9a-f]{16}$/);
    }
    const accepted = entries.filter(
      ({ action }) => action === "webhook.accepted",
    );
    const requestIds = accepted.map(({ metadata }) => metadata["requestId"]);
    expect(new Set(requestIds).size).toBe(many + 1);
    const boots = requestIds.map((id) => String(id).split("-")[0]);
    expect(new Set(boots).size).toBe(2);
    const spans = destination.attempts.map(({ headers }) =>
      String(headers["traceparent"]).slice(36, 52),
    );
    expect(new Set(spans).size).toBe(many + 1);
  });
});

describe("LOG_LEVEL", () => {
  it("sets the level of the lines on stderr", async () => {
    const messages = async (level: string): Promise<string[]> => {
      const folder = temporaryFolder().path;
      const serving = await serve(folder, { LOG_LEVEL: level });
      await deliver(serving, "evt_1");
      expect(await serving.stop()).toEqual({ code: 0, signal: null });
      expect(serving.stdout()).toContain("webhook.accepted");
      return serving
        .stderr()
        .split("\n")
        .filter((line) => line !== "")
        .map((line) => (JSON.parse(line) as { level: string }).level);
    };
    const [error, debug] = await Promise.all(["error", "debug"].map(messages));
    expect(error).toEqual([]);
    expect(debug).toContain("debug");
  });
});

describe("an uncaught exception outside a handler", () => {
  /** Starts a service. At SIGUSR2 the statement runs, in code that is loaded before Hexhook. */
  async function serveWith(handlers: string, statement: string) {
    const folder = temporaryFolder().path;
    const preload = path.join(folder, "preload.mjs");
    writeFileSync(
      preload,
      `process.once("SIGUSR2", () => { ${statement} });\n`,
    );
    writeFileSync(path.join(folder, "handlers.mjs"), handlers);
    const serving = await serve(folder, {
      HANDLERS: "handlers.mjs",
      // eslint-disable-next-line no-restricted-properties -- the SQLite driver of this run
      NODE_OPTIONS: `${process.env["NODE_OPTIONS"] ?? ""} --import ${pathToFileURL(preload).href}`,
    });
    return { ...serving, folder };
  }
  const fatalLines = (stderr: string): string[] =>
    stderr.split("\n").filter((line) => line.includes('"level":"fatal"'));

  it.each([
    ["uncaught exception", 'throw new Error("no code catches this");'],
    [
      "unhandled rejection",
      'Promise.reject(new Error("no code catches this"));',
    ],
  ])(
    "ends serve with 70 when no handler has run: %s",
    async (kind, statement) => {
      const serving = await serveWith("export default {};", statement);
      serving.child.kill("SIGUSR2");
      expect(await serving.exited).toEqual({ code: 70, signal: null });
      const fatal = fatalLines(serving.stderr());
      expect(fatal).toHaveLength(1);
      expect(fatal[0]).toContain(kind);
      expect(fatal[0]).toContain("no code catches this");
    },
  );

  it("ends serve with 70 when it comes from the code of Hexhook, and loses no delivery", async () => {
    const own = pathToFileURL(inProject("dist", "cli.js")).href;
    const serving = await serveWith(
      'export default { "*": () => new Promise(() => undefined) };',
      `throw Object.assign(new Error("a bug"), { stack: "Error: a bug\\n    at f (${own}:1:1)" });`,
    );
    const body = eventBody("evt_1");
    expect((await serving.post(body, signed(body))).status).toBe(200);
    const LEASED = { state: "pending", leased: 1 };
    const stored = () =>
      rows<typeof LEASED>(serving.folder, "SELECT state, leased FROM delivery");
    await eventually(() => stored()[0]?.leased === 1);
    serving.child.kill("SIGUSR2");
    expect(await serving.exited).toEqual({ code: 70, signal: null });
    expect(fatalLines(serving.stderr())[0]).toContain("a bug");
    expect(stored()).toEqual([LEASED]);
  });
});

describe("SIGTERM while an attempt is in flight", () => {
  async function startWithAttempt(env: Record<string, string>) {
    const folder = temporaryFolder().path;
    const held: ServerResponse[] = [];
    const destination = await startDestination((res) => {
      held.push(res);
    });
    const adminPort = await freePort();
    const serving = await serve(folder, {
      ADMIN_PORT: String(adminPort),
      FORWARD_URL: destination.url,
      HANDLERS: noHandlers(folder),
      ATTEMPT_TIMEOUT: "1h",
      ...env,
    });
    await deliver(serving, "evt_1");
    const response = await eventually(() => held[0]);
    serving.child.kill("SIGTERM");
    // The management listener closes last. Then the shutdown waits for attempts in flight.
    await eventually(() => isRefused(adminPort));
    return { folder, serving, response };
  }

  it("waits for the attempt and records its result", async () => {
    const { folder, serving, response } = await startWithAttempt({
      SHUTDOWN_SECONDS: "600",
    });
    response.writeHead(200).end();
    expect(await serving.exited).toEqual({ code: 0, signal: null });
    expect(
      rows(folder, "SELECT state, attempt, leased, uncounted FROM delivery"),
    ).toEqual([{ state: "succeeded", attempt: 1, leased: 0, uncounted: 0 }]);
    const entries = await readTrail(path.join(folder, "hexhook.db"));
    expect(entries.map(({ action }) => action).slice(-3)).toEqual([
      "delivery.succeeded",
      "server.stopped",
      "audit.checkpoint",
    ]);
  });

  it("releases the attempt when the time is up, uncounted and due at once", async () => {
    const { folder, serving } = await startWithAttempt({
      SHUTDOWN_SECONDS: "1",
    });
    expect(await serving.exited).toEqual({ code: 0, signal: null });
    const [delivery] = rows<{ due_at: number }>(
      folder,
      "SELECT state, attempt, leased, uncounted, crashes, due_at FROM delivery",
    );
    expect(delivery).toMatchObject({
      state: "pending",
      attempt: 1,
      leased: 0,
      uncounted: 1,
      crashes: 0,
    });
    expect(delivery?.due_at).toBeLessThanOrEqual(Date.now());
    expect(rows(folder, "SELECT ok, reason FROM attempt")).toEqual([
      { ok: 0, reason: "released" },
    ]);
  });
});

import { beforeAll, describe, expect, it } from "@jest/globals";
import { EventEmitter } from "node:events";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { Readable, Writable } from "node:stream";
import type { Io } from "../../../src/cli/io.ts";
import { run } from "../../../src/cli/program.ts";
import {
  ADMIN_TOKEN,
  callAdmin,
  type Json,
} from "../../support/admin-client.ts";
import { reply, startDestination } from "../../support/destinations.ts";
import { eventually } from "../../support/eventually.ts";
import { eventBody, SECRET, TODAY } from "../../support/fixtures.ts";
import { hexhook } from "../../support/hexhook.ts";
import { noHandlers } from "../../support/no-handlers.ts";
import { freePort } from "../../support/processes.ts";
import { storeFileIn } from "../../support/service-store.ts";
import { startTestService, type TestService } from "../../support/service.ts";
import { temporaryFolder } from "../../support/temporary-folder.ts";

/* The tests share one service, which the last test stops. They run in order. */

const ESCAPE = "\u001b";

let folder: string;
let service: TestService;
let destination: Awaited<ReturnType<typeof startDestination>>;

beforeAll(async () => {
  folder = temporaryFolder().path;
  destination = await startDestination(reply(200));
  const config = path.join(folder, "hexhook.yaml");
  writeFileSync(
    config,
    `sources: { hex: { scheme: hex, secrets: [{ env: HEX_SECRET, createdAt: 2020-01-01 }] } }
destinations: { billing: { url: "${destination.url}" } }`,
  );
  service = await startTestService(folder, {
    env: {
      HEXHOOK_CONFIG: config,
      HANDLERS: noHandlers(folder),
      ADMIN_PORT: String(await freePort()),
      ADMIN_TOKEN,
      AUDIT_FILE: path.join(folder, "audit.log"),
    },
    deps: { intervals: { status: 20 } },
  });
  await service.post(eventBody("evt_1"));
  await eventually(() => destination.attempts.length === 1);
});

/** The environment of the commands has neither secrets nor the configuration file. */
const env = () => ({ DATABASE_URL: `sqlite:${storeFileIn(folder)}` });

const command = (text: string) =>
  hexhook(text.split(" "), { cwd: folder, env: env() });

async function json(text: string): Promise<Json> {
  const { code, stdout, stderr } = await command(`${text} --json`);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  return JSON.parse(stdout) as Json;
}

describe("hexhook status beside a running service", () => {
  it("shows the process, its requests, and the age of secrets without knowing them", async () => {
    await service.post(eventBody("evt_2"), {});
    await eventually(async () => {
      const { lastMinute } = await json("status");
      return (lastMinute as Json | null)?.["rejected"] === 1;
    });
    const status = await json("status");
    expect(status).toMatchObject({
      processes: [{ readiness: "ready", version: "0.0.0-test" }],
      lastMinute: { accepted: 1, repeated: 0, rejected: 1 },
      pending: 0,
      exhausted: 0,
      destinations: [{ name: "billing", breaker: { state: "closed" } }],
      sources: [{ name: "hex", secrets: [{ age: "overdue" }] }],
    });
    expect(status["sinks"]).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ name: "file", degradedSince: null }),
      ]),
    );
    expect(JSON.stringify(status)).not.toContain(SECRET);
    const { code, stdout } = await command("status");
    expect(code).toBe(0);
    expect(stdout).toMatch(/^[0-9a-f]{16} {2}ready /m);
    expect(stdout).toMatch(/^billing +ok /m);
  });

  it("shows the same as the API", async () => {
    const answer = await callAdmin(service, "GET", "/api/status");
    expect(answer.status).toBe(200);
    const { processes, sinks, ...same } = answer.json;
    const status = await json("status");
    expect(status).toMatchObject({ ...same, at: expect.any(String) });
    expect(Object.keys(status)).toEqual(Object.keys(answer.json));
    expect([processes, sinks]).toMatchObject([
      [{ readiness: "ready" }],
      [{ name: "stdout" }, { name: "file" }],
    ]);
    expect(await callAdmin(service, "GET", "/api/sources")).toMatchObject({
      status: 200,
      json: { sources: same["sources"] },
    });
    expect(await callAdmin(service, "POST", "/api/status")).toMatchObject({
      status: 405,
    });
  });

  it("shows one block a refresh with -f, until a signal", async () => {
    const { io, text } = collectingIo({ isTTY: false });
    const running = run(["status", "-f"], io);
    await eventually(() => text().includes("SINK"));
    io.signals.emit("SIGINT");
    await running;
    expect(text()).toMatch(/^Status at [^]+\n\n$/);
    expect(text()).not.toContain(ESCAPE);
  });

  it.each(["SIGINT", "SIGQUIT", "SIGHUP"])(
    "refreshes in place on a terminal, and restores it after %s",
    async (signal) => {
      const { io, text } = collectingIo({ isTTY: true });
      const running = run(["status", "--follow"], io);
      await eventually(() => text().includes("enlarge the window"));
      io.signals.emit(signal);
      await running;
      const [, screen = "", after] = text().split(
        new RegExp(`${ESCAPE}\\[\\?1049[hl]`),
      );
      expect(screen).toMatch(`${ESCAPE}[?25l${ESCAPE}[HStatus at `);
      // The window has 10 rows.
      expect(screen.split("\n")).toHaveLength(10);
      expect(screen).toMatch(/\(\d+ more lines: enlarge the window\)/);
      expect(screen.endsWith(`${ESCAPE}[J${ESCAPE}[?25h`)).toBe(true);
      expect(after).toMatch(/^Status at /);
    },
  );
});

/** The Io of a command in this process whose output can be read while it runs. */
function collectingIo({ isTTY }: { isTTY: boolean }) {
  let text = "";
  const stdout = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      text += chunk.toString("utf8");
      callback();
    },
  });
  const io: Io & { signals: EventEmitter } = {
    stdin: Object.assign(Readable.from([]), { isTTY }),
    stdout: Object.assign(stdout, { isTTY, columns: 80, rows: 10 }),
    stderr: Object.assign(new Writable(), { isTTY }),
    env: { ...env(), NO_COLOR: "1" },
    signals: new EventEmitter(),
    setExitCode: () => undefined,
  };
  return { io, text: () => text };
}

describe("hexhook destinations beside a running service", () => {
  const pauses = async () =>
    (await service.entries())
      .filter(({ action }) => action.startsWith("destination."))
      .map(({ action, userId }) => [action, userId]);

  it("lists the destinations as the API does", async () => {
    const {
      json: { destinations },
    } = await callAdmin(service, "GET", "/api/destinations");
    expect([await json("destinations list")]).toEqual(destinations);
    expect((await command("destinations list")).stdout).toBe(
      `billing http ${new URL(destination.url).origin}\n  ok\n  0 pending; 0 exhausted; 0 in flight\n`,
    );
  });

  it("pauses one, which the service follows, and says so if it was paused before", async () => {
    expect(await json("destinations pause billing --as anna")).toMatchObject({
      name: "billing",
      paused: true,
      pausedBy: "anna",
      changed: true,
    });
    // The service logs the pause when it has noticed it.
    await eventually(() => service.log.text.includes("destination paused"));
    await service.post(eventBody("evt_3"));
    expect(await command("destinations pause billing --as ben")).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(
        /^billing is already paused by anna since \S+ \S+Z\n$/,
      ),
    });
    expect(await json("status")).toMatchObject({
      pending: 1,
      oldestPendingSince: expect.any(String),
      destinations: [{ name: "billing", paused: true, inFlight: 0 }],
    });
    expect(destination.attempts).toHaveLength(1);
    expect(await pauses()).toEqual([["destination.paused", "operator:anna"]]);
  });

  it("resumes it, which the service follows, and says so if it was not paused", async () => {
    expect(await command("destinations resume billing --as ben")).toMatchObject(
      { code: 0, stdout: "billing is resumed\n" },
    );
    await eventually(() => destination.attempts.length === 2);
    expect(await command("destinations resume billing")).toMatchObject({
      code: 0,
      stdout: "billing is not paused\n",
    });
    expect(await json("destinations resume billing")).toMatchObject({
      paused: false,
      changed: false,
    });
    expect(await pauses()).toEqual([
      ["destination.paused", "operator:anna"],
      ["destination.resumed", "operator:ben"],
    ]);
  });

  it("rejects an unknown name, and names the nearest one", async () => {
    expect(await command("destinations pause biling")).toMatchObject({
      code: 64,
      stdout: "",
      stderr: expect.stringContaining(
        'there is no destination "biling"; configured destinations: billing; did you mean billing?\n',
      ),
    });
    expect(await pauses()).toHaveLength(2);
  });
});

describe("hexhook status without a running service", () => {
  it("shows that it has stopped, and keeps what the store knows", async () => {
    await service.stop();
    expect(await json("status")).toMatchObject({
      processes: [{ readiness: "stopped" }],
      lastMinute: null,
      destinations: [
        { name: "billing", kind: "http", breaker: { state: "unknown" } },
      ],
      sources: [{ name: "hex", secrets: [{ age: "overdue" }] }],
    });
    expect((await command("destinations list")).stdout).toContain(
      "\n  unknown\n",
    );
  });

  it("takes the sources and destinations from the configuration, if it can be read", async () => {
    const { stdout } = await hexhook(["status", "--json"], {
      cwd: folder,
      env: {
        ...env(),
        HEX_SECRET: SECRET,
        HEX_SECRET_CREATED_AT: TODAY,
        FORWARD_URL: "https://new.example",
      },
    });
    expect(JSON.parse(stdout)).toMatchObject({
      destinations: [{ name: "forward", configured: true, kind: null }],
      sources: [{ name: "hex", secrets: [{ age: "fresh" }] }],
    });
  });

  it("resumes a destination that is known only for its pause", async () => {
    for (const [options, printed] of [
      [[], "billing is resumed\n"],
      [["--json"], expect.stringContaining('"paused":false')],
    ] as const) {
      await command("destinations pause billing");
      const resumed = await hexhook(
        ["destinations", "resume", "billing", ...options],
        { cwd: folder, env: { ...env(), FORWARD_URL: "https://new.example" } },
      );
      expect(resumed).toEqual({ code: 0, stdout: printed, stderr: "" });
    }
  });

  it("fails if there is no store", async () => {
    const { code, stdout } = await hexhook(["status"], {
      cwd: folder,
      env: { DATABASE_URL: "sqlite:missing.db" },
    });
    expect({ code, stdout }).toEqual({ code: 70, stdout: "" });
  });
});

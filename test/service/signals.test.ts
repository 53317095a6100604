import { beforeEach, describe, expect, it } from "@jest/globals";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { cleanUp } from "../support/cleanup.ts";
import { eventually } from "../support/eventually.ts";
import { SECRET, TODAY } from "../support/fixtures.ts";
import { createOldStore, OLDER_VERSIONS } from "../support/old-store.ts";
import { CLI, environment, serve } from "../support/processes.ts";
import { openFile } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const inFolder = (name: string) => path.join(folder.path, name);

/** Starts a process of the program, which may end before it is ready. */
function start(args: readonly string[], env: Environment = {}) {
  const child = spawn(process.execPath, [CLI, ...args], {
    cwd: folder.path,
    env: environment({
      HEX_SECRET: SECRET,
      HEX_SECRET_CREATED_AT: TODAY,
      HOST: "127.0.0.1",
      PORT: "0",
      ADMIN_PORT: "0",
      DRAIN_SECONDS: "0",
      DATABASE_URL: "sqlite:hexhook.db",
      ...env,
    }),
    stdio: ["ignore", "pipe", "pipe"],
  });
  const text = { stdout: "", stderr: "" };
  for (const stream of ["stdout", "stderr"] as const) {
    child[stream].on("data", (chunk: Buffer) => {
      text[stream] += chunk.toString();
    });
  }
  const exited = once(child, "close");
  cleanUp(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  return { child, text, exited };
}

/** Returns the target of an open descriptor; empty if it was closed meanwhile. */
function linkOf(descriptor: string): string {
  try {
    return readlinkSync(descriptor);
  } catch {
    return "";
  }
}

/** Returns the signals that a process handles, as bits. The lowest bit is signal 1. */
function handledBy({ pid }: ChildProcess): bigint {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return BigInt(`0x${/SigCgt:\s*([0-9a-f]+)/.exec(status)?.[1] ?? "0"}`);
}

const SIGHUP = 1n;
const SIGUSR1 = 1n << 9n;

/** Handlers modules whose import never ends, or ends when a file exists. Each creates the file `loading`. */
const LOADS = {
  never: "await new Promise(() => setInterval(() => undefined, 1000));",
  onceAllowed:
    'while (!existsSync("allowed")) await new Promise((resolve) => setTimeout(resolve, 10));',
};

function handlers(load: keyof typeof LOADS): string {
  writeFileSync(
    inFolder("handlers.mjs"),
    `import { existsSync, writeFileSync } from "node:fs";
writeFileSync("loading", "");
${LOADS[load]}
export default {};`,
  );
  return "./handlers.mjs";
}

describe.each(["SIGTERM", "SIGINT"] as const)("%s", (signal) => {
  it("ends a service with 0 while its program is loading", async () => {
    const { child, exited } = start(["serve"]);
    await eventually(() => handledBy(child) & SIGHUP);
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
  });

  it("ends a service with 0 and without a store while its handlers module is loading", async () => {
    const { child, text, exited } = start(["serve"], {
      HANDLERS: handlers("never"),
    });
    await eventually(() => existsSync(inFolder("loading")));
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(text.stderr).toMatch(/"service stopping".*\n.*"service stopped"/);
    expect(existsSync(inFolder("hexhook.db"))).toBe(false);
  });

  it("ends a service with 0 while it waits for the lock of its store", async () => {
    const other = openFile(inFolder("hexhook.db"));
    cleanUp(() => {
      other.close();
    });
    other.exec("BEGIN EXCLUSIVE");
    const { child, text, exited } = start(["serve"]);
    // This file is created just before the store is opened.
    await eventually(() => existsSync(inFolder("hexhook.db-audit-key.pem")));
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
    expect(text.stderr).not.toMatch(/SQLITE_BUSY/);
  });

  it("ends a service with 0 while it waits to migrate its store", async () => {
    createOldStore(inFolder("hexhook.db"), OLDER_VERSIONS.at(-1)!);
    const other = openFile(inFolder("hexhook.db"));
    cleanUp(() => {
      other.close();
    });
    other.exec("BEGIN EXCLUSIVE");
    const { child, exited } = start(["serve"]);
    const opensStore = () =>
      readdirSync(`/proc/${child.pid}/fd`).some((fd) =>
        linkOf(`/proc/${child.pid}/fd/${fd}`).endsWith("hexhook.db-wal"),
      );
    await eventually(opensStore);
    child.kill(signal);
    expect(await exited).toEqual([0, null]);
  });
});

describe("SIGUSR1, SIGUSR2 and SIGPIPE", () => {
  it("do not affect a service, and open no debugger", async () => {
    const { url, child, stderr, stop } = await serve(folder.path, {
      NODE_OPTIONS: "--inspect-port=0",
    });
    for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) {
      child.kill(signal);
    }
    // Signals are handled in order, so the reaction to SIGHUP comes after them.
    child.kill("SIGHUP");
    await eventually(() => stderr().includes("configuration reload requested"));
    expect((await fetch(`${url}/livez`)).status).toBe(200);
    expect(stderr()).not.toContain("Debugger");
    expect(await stop()).toEqual({ code: 0, signal: null });
  });

  it("close a debugger that was opened before the program was loaded", async () => {
    const { child, text, exited } = start(["serve"], {
      NODE_OPTIONS: "--inspect-port=0",
    });
    // The handler of Node itself.
    await eventually(() => handledBy(child) & SIGUSR1);
    child.kill("SIGUSR1");
    await eventually(() => text.stderr.includes('"service ready"'));
    const address = /ws:\/\/(127\.0\.0\.1:\d+)/.exec(text.stderr)?.[1];
    const isOpen =
      address !== undefined &&
      (await fetch(`http://${address}/json`).then(
        () => true,
        () => false,
      ));
    expect(isOpen).toBe(false);
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });
});

describe("SIGHUP", () => {
  it("reloads after the startup when it arrives during the startup", async () => {
    const { child, text, exited } = start(["serve"], {
      HANDLERS: handlers("onceAllowed"),
    });
    await eventually(() => existsSync(inFolder("loading")));
    child.kill("SIGHUP");
    await eventually(() =>
      text.stderr.includes("configuration reload requested"),
    );
    expect(text.stderr).not.toContain('"service ready"');
    writeFileSync(inFolder("allowed"), "");
    await eventually(() => text.stdout.includes('"config.reloaded"'));
    child.kill("SIGTERM");
    expect(await exited).toEqual([0, null]);
  });

  it("does nothing during the shutdown", async () => {
    const { child, stderr, stdout, exited } = await serve(folder.path, {
      DRAIN_SECONDS: "1",
    });
    child.kill("SIGTERM");
    await eventually(() => stderr().includes('"service stopping"'));
    child.kill("SIGHUP");
    expect(await exited).toEqual({ code: 0, signal: null });
    expect(stderr()).not.toMatch(/reload/);
    expect(stdout()).not.toContain("reloaded");
  });
});

describe("a command that runs until it is stopped", () => {
  it("ends at SIGTERM: audit tail -f", async () => {
    const { stop } = await serve(folder.path);
    await stop();
    const { child, text, exited } = start(["audit", "tail", "-f"]);
    await eventually(() => text.stdout.includes("server.stopped"));
    child.kill("SIGTERM");
    expect(await exited).toEqual([143, null]);
  });

  it.each(["SIGINT", "SIGTERM"] as const)(
    "stops its service and leaves no files at %s: demo",
    async (signal) => {
      const { child, text, exited } = start(["demo"], { TMPDIR: folder.path });
      await eventually(() => text.stdout.includes("listens on"));
      child.kill(signal);
      expect(await exited).toEqual([1, null]);
      expect(text.stderr).toBe(
        "hexhook: interrupted; nothing is left running\n",
      );
      expect(readdirSync(folder.path)).toEqual([]);
    },
  );
});

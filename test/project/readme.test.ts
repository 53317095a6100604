import { beforeAll, describe, expect, it } from "@jest/globals";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, statSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Environment } from "../../src/config/load-config.ts";
import { cleanUp } from "../support/cleanup.ts";
import { cloneProject } from "../support/clone.ts";
import {
  reply,
  startDestination,
  type TestDestination,
} from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { codeBlock, codeBlocks } from "../support/markdown.ts";
import { environment, freePort } from "../support/processes.ts";
import { inProject } from "../support/project.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/* Follows the README from top to bottom. Each part continues with the files and the store of the previous part. */

const README = readFileSync(inProject("README.md"), "utf8");

/** Blocks that these tests do not run. CI runs the first one in a fresh clone. The second needs a container engine. */
const NOT_RUN = [
  "npm ci && npm run demo\n",
  codeBlock(README, "sh", "docker run"),
];

const hasCommands = ["curl", "openssl"].every(
  (command) => spawnSync(command, ["--version"]).error === undefined,
);
const describeWithCurl = hasCommands ? describe : describe.skip;

let clone: string;
let env: NodeJS.ProcessEnv;

/** The port that the README's commands use. */
const README_PORT = 3000;
/** The address of the README's second destination. */
const README_DESTINATION = "http://127.0.0.1:4000";

interface Service {
  readonly stderr: () => string;
  /** Presses Ctrl+C, and waits until the service has ended. */
  readonly stop: () => Promise<void>;
}

/** Runs commands as if pasted into a terminal, to their end. Returns their standard output. Throws when one fails. */
async function paste(commands: string): Promise<string> {
  const shell = inShell(commands);
  const stdout = collected(shell, "stdout");
  const stderr = collected(shell, "stderr");
  const [code] = (await once(shell, "close")) as [number | null];
  if (code !== 0) {
    throw new Error(`exit code ${code}: ${stderr()}`);
  }
  return stdout();
}

/** Runs commands of which the last one starts the service. Returns when that is ready. */
async function pasteStart(
  commands: string,
  variables: Environment = {},
): Promise<Service> {
  const shell = inShell(commands, variables);
  const stderr = collected(shell, "stderr");
  const closed = once(shell, "close");
  const signal = (name: NodeJS.Signals): void => {
    const isRunning = shell.exitCode === null && shell.signalCode === null;
    if (isRunning && shell.pid !== undefined) {
      process.kill(-shell.pid, name);
    }
  };
  cleanUp(async () => {
    signal("SIGKILL");
    await closed;
  });
  await eventually(() => {
    if (shell.exitCode !== null) {
      throw new Error(`the service has ended: ${stderr()}`);
    }
    return stderr().includes('"msg":"service ready"');
  });
  return {
    stderr,
    stop: async () => {
      signal("SIGINT");
      await closed;
    },
  };
}

function inShell(commands: string, variables: Environment = {}): ChildProcess {
  return spawn("bash", ["-e", "-c", commands], {
    cwd: clone,
    env: { ...env, ...variables },
    stdio: ["ignore", "pipe", "pipe"],
    detached: true,
  });
}

function collected(
  child: ChildProcess,
  output: "stdout" | "stderr",
): () => string {
  const chunks: Buffer[] = [];
  child[output]?.on("data", (chunk: Buffer) => chunks.push(chunk));
  return () => Buffer.concat(chunks).toString("utf8");
}

/** The command in the README's prose that begins with a text. */
function inlineCommand(beginning: string): string {
  const found = /`([^`]+)`/.exec(
    README.slice(README.indexOf(`\`${beginning}`)),
  );
  return found?.[1] ?? "";
}

const startWithHandlers = inlineCommand("HANDLERS=");

/** The messages of the operational log with their levels. */
function logLines(stderr: string): { level: string; msg: string }[] {
  return stderr
    .split("\n")
    .filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line) as { level: string; msg: string });
}

/** Signs a request by hand. The commands sign the second: a second request in the same one would be a replay. */
async function pasteCurl(): Promise<string> {
  const last = Math.floor(Date.now() / 1000);
  await eventually(() => Math.floor(Date.now() / 1000) > last);
  return paste(codeBlock(README, "sh", "curl"));
}

describeWithCurl("the README, followed from top to bottom", () => {
  let service: Service;

  beforeAll(async () => {
    const parent = temporaryFolder().path;
    clone = cloneProject(parent);
    const port = await freePort();
    writeFileSync(
      path.join(parent, ".curlrc"),
      `silent\nconnect-to = "127.0.0.1:${README_PORT}:127.0.0.1:${port}"\n`,
    );
    env = environment({
      HOME: parent,
      CURL_HOME: parent,
      HOST: "127.0.0.1",
      PORT: String(port),
      ADMIN_PORT: "0",
      DRAIN_SECONDS: "0",
      npm_config_update_notifier: "false",
    });
  });

  describe("in its first steps", () => {
    const start = codeBlock(README, "sh", "secrets generate");

    beforeAll(async () => {
      service = await pasteStart(start);
    });

    it("creates a secret that only its user can read", () => {
      expect(statSync(path.join(clone, ".env")).mode & 0o777).toBe(0o600);
    });

    it("starts a service that logs no warning", () => {
      const lines = logLines(service.stderr());
      expect(lines.length).toBeGreaterThan(0);
      expect(lines.filter(({ level }) => level !== "info")).toEqual([]);
    });

    it("never overwrites a secret", async () => {
      const before = readFileSync(path.join(clone, ".env"), "utf8");
      const [command = ""] = start.split("\n");
      await expect(paste(command)).rejects.toThrow(/cannot overwrite/);
      expect(readFileSync(path.join(clone, ".env"), "utf8")).toBe(before);
    });

    it("sends a test event and shows it in the audit trail", async () => {
      const stdout = await paste(codeBlock(README, "sh", "hexhook send"));
      expect(stdout).toMatch(/evt_\S+ 200 accepted/);
      expect(stdout).toContain("webhook.accepted");
    });

    it("signs a request by hand", async () => {
      const stdout = await pasteCurl();
      expect(stdout).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
      expect(stdout).toMatch(/"status":"accepted","id":"evt_\d+"\}$/);
    });
  });

  describe("with a handlers module in JavaScript", () => {
    beforeAll(async () => {
      await service.stop();
      const [, file = ""] = /^HANDLERS=(\S+)/.exec(startWithHandlers) ?? [];
      const [module = ""] = codeBlocks(README, "js");
      writeFileSync(path.join(clone, file), module);
      service = await pasteStart(startWithHandlers);
    });

    it("handles the next request", async () => {
      await pasteCurl();
      await eventually(() => service.stderr().includes('"msg":"invoice paid"'));
      expect(service.stderr()).toContain('"amount":1200');
    });
  });

  describe("with a configuration file", () => {
    let destination: TestDestination;

    beforeAll(async () => {
      await service.stop();
      destination = await startDestination(reply(200));
      const [variable = "", file = ""] =
        inlineCommand("HEXHOOK_CONFIG=").split("=");
      const [yaml = ""] = codeBlocks(README, "yaml");
      writeFileSync(
        path.join(clone, file),
        yaml.replace(README_DESTINATION, new URL(destination.url).origin),
      );
      service = await pasteStart(startWithHandlers, {
        [variable]: file,
        STRIPE_SECRET: `whsec_${"a".repeat(32)}`,
      });
    });

    it("delivers the next request to the destination and the handler", async () => {
      await pasteCurl();
      await eventually(() => service.stderr().includes('"msg":"invoice paid"'));
      await eventually(() => destination.attempts.length > 0);
      expect(destination.attempts[0]?.path).toBe("/events");
    });
  });
});

describe("the README", () => {
  it("contains only commands that these tests or CI run", () => {
    const run = ["secrets generate", "hexhook send", "curl"].map((text) =>
      codeBlock(README, "sh", text),
    );
    expect(codeBlocks(README, "sh").sort()).toEqual(
      [...run, ...NOT_RUN].sort(),
    );
    expect(codeBlocks(README, "js")).toHaveLength(1);
    expect(codeBlocks(README, "yaml")).toHaveLength(1);
  });
});

// Starts the servers of the benchmark. `open` resolves to the port of a server, its processes, and a function that stops it.
import { spawnSync } from "node:child_process";
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { connect } from "node:net";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import {
  ALL_CORES,
  nextMessage,
  SERVER_CORE,
  start,
  stop,
} from "./children.mjs";
import { freePort } from "./machine.mjs";
import { SECRET, STANDARD_SECRET } from "./requests.mjs";

export const ADMIN_TOKEN = "bench-admin-token-bench-admin-token-bench";
const RIVALS = path.join(import.meta.dirname, "rivals");
const READY_POLL_MS = 4;
const READY_TIMEOUT_MS = 300_000;
/** Number of characters of a failed server's log that an error shows. */
const LOG_TAIL_CHARS = 2000;

/** Returns whether a system command is installed. */
const has = (command) =>
  spawnSync("sh", ["-c", `command -v ${command}`]).status === 0;

/** Returns the status of the response to a GET; null without a response. */
function statusOf(port, target) {
  return new Promise((resolve) => {
    const req = get({ port, path: target, host: "127.0.0.1", agent: false });
    req.on("response", (res) => {
      res.resume();
      res.on("end", () => resolve(res.statusCode));
    });
    req.on("error", () => resolve(null));
  });
}

/** Starts a server and writes its output, or only its stderr, to a file. */
function startLogged(core, command, { log, onlyStderr = false, ...options }) {
  const fd = openSync(log, "w");
  const stdio = ["ignore", onlyStderr ? "ignore" : fd, fd];
  const child = start(core, command, { ...options, stdio });
  closeSync(fd);
  return child;
}

/** Waits until a new server is ready. `log`: its log file; an error shows the end of it. */
async function until(condition, { child, name, log }) {
  const endsAt = performance.now() + READY_TIMEOUT_MS;
  const failure = (problem) => {
    const tail = readFileSync(log, "utf8").trim().slice(-LOG_TAIL_CHARS);
    return new Error(`${name} ${problem}\n${tail === "" ? "(no log)" : tail}`);
  };
  while (!(await condition())) {
    if (child.exitCode !== null || child.signalCode !== null) {
      throw failure("ended before it was ready");
    }
    if (performance.now() > endsAt) {
      await stop(child);
      throw failure("was not ready in time");
    }
    await sleep(READY_POLL_MS);
  }
}

const isListening = (port) =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", () => resolve(false));
  });

export function createServers({ folder, native, cli }) {
  let opened = 0;

  const newFolder = () => {
    opened += 1;
    const place = path.join(folder, `server-${opened}`);
    mkdirSync(place);
    return place;
  };

  const environment = ({ fsyncMs = 0, env = {} }) => ({
    ...process.env,
    HEX_SECRET: SECRET,
    STANDARD_SECRET,
    ...(fsyncMs > 0
      ? { LD_PRELOAD: native.delayFsync, FSYNC_DELAY_MS: String(fsyncMs) }
      : {}),
    ...env,
  });

  const coreOf = ({ anyCore = false }) => (anyCore ? ALL_CORES : SERVER_CORE);

  /** Returns a function that starts a server of bench/rivals: a Node process that reports its port. */
  const rival = (name) => async (options) => {
    const child = start(
      coreOf(options),
      [process.execPath, path.join(RIVALS, `${name}.mjs`)],
      {
        env: { NODE_ENV: "production", ...environment(options) },
        stdio: ["ignore", "ignore", "inherit", "ipc"],
      },
    );
    const { port } = await nextMessage(child, name);
    return { port, pids: [child.pid], stop: () => stop(child) };
  };

  async function hexhook(options) {
    const place = newFolder();
    const [port, adminPort] = [await freePort(), await freePort()];
    const database = options.database ?? path.join(place, "hexhook.db");
    const handlers = path.join(place, "handlers.mjs");
    writeFileSync(handlers, options.handlers ?? "export default {};\n");
    if (options.config !== undefined) {
      writeFileSync(path.join(place, "hexhook.yaml"), options.config);
    }
    const log = path.join(place, "stderr.log");
    const startedAt = performance.now();
    const command = [process.execPath, cli, "serve"];
    const child = startLogged(coreOf(options), command, {
      log,
      onlyStderr: true, // stdout is the audit trail
      cwd: place,
      env: {
        ...environment(options),
        HOST: "127.0.0.1",
        PORT: String(port),
        ADMIN_PORT: String(adminPort),
        ADMIN_TOKEN,
        DRAIN_SECONDS: "0",
        LOG_LEVEL: "warn",
        DATABASE_URL: `sqlite:${database}`,
        ...(options.config === undefined
          ? { HANDLERS: handlers }
          : { HEXHOOK_CONFIG: path.join(place, "hexhook.yaml") }),
        ...options.env,
      },
    });
    await until(async () => (await statusOf(port, "/readyz")) === 200, {
      ...{ child, name: "hexhook", log },
    });
    const readyMs = performance.now() - startedAt;
    const pids = [child.pid];
    return {
      port,
      adminPort,
      database,
      readyMs,
      pids,
      sharesCores: options.sharesCores,
      stop: () => stop(child),
    };
  }

  /** Starts two processes of Hexhook on one database. Each gets half of the load. */
  async function twoReplicas(options) {
    const replicas = await Promise.all([hexhook(options), hexhook(options)]);
    return {
      replicas: replicas.map((replica, shard) => ({
        ...servers.hexhook,
        ...replica,
        shard,
      })),
      pids: replicas.flatMap(({ pids }) => pids),
      sharesCores: true,
      stop: () => Promise.all(replicas.map((replica) => replica.stop())),
    };
  }

  async function redisBullmq(options) {
    const place = newFolder();
    const port = await freePort();
    const log = path.join(place, "redis.log");
    const redis = startLogged(
      coreOf(options),
      [
        "redis-server",
        ...["--bind", "127.0.0.1", "--port", String(port), "--dir", place],
        ...["--appendonly", "yes", "--appendfsync", "always", "--save", ""],
      ],
      { log, env: environment(options) },
    );
    await until(() => isListening(port), {
      ...{ child: redis, name: "redis-server", log },
    });
    const env = { REDIS_PORT: String(port) };
    const server = await rival("redis-bullmq")({ ...options, env });
    return {
      ...server,
      pids: [...server.pids, redis.pid],
      async stop() {
        await server.stop();
        await stop(redis);
      },
    };
  }

  async function debianWebhook(options) {
    const place = newFolder();
    const port = await freePort();
    const hooks = path.join(place, "hooks.json");
    writeFileSync(
      hooks,
      JSON.stringify([
        {
          id: "hex",
          "execute-command": "/bin/true",
          "trigger-rule-mismatch-http-response-code": 401,
          "trigger-rule": {
            match: {
              type: "payload-hmac-sha256",
              secret: SECRET,
              parameter: { source: "header", name: "X-Hub-Signature-256" },
            },
          },
        },
      ]),
    );
    const log = path.join(place, "webhook.log");
    const child = startLogged(
      coreOf(options),
      [
        "webhook",
        ...["-hooks", hooks, "-ip", "127.0.0.1", "-port", String(port)],
        ...["-urlprefix", "webhooks"],
      ],
      { log, env: environment(options) },
    );
    await until(() => isListening(port), { child, name: "webhook", log });
    return { port, pids: [child.pid], stop: () => stop(child) };
  }

  /**
   * `maxPerSecond`: more requests than the server can handle, so that enough are prepared. `usesPackages`: it needs the
   * packages of bench/rivals. A server with `sharesCores` uses other processes, such as a database, on the same cores.
   */
  const servers = {
    bare: {
      label: "bare node:http, verifies",
      scheme: "hex",
      maxPerSecond: 45_000,
      open: rival("bare"),
    },
    hexhook: {
      label: "Hexhook",
      scheme: "hex",
      maxPerSecond: 25_000,
      open: hexhook,
    },
    replicas: {
      label: "Hexhook, two replicas",
      scheme: "hex",
      open: twoReplicas,
    },
    octokit: {
      label: "@octokit/webhooks",
      scheme: "github",
      maxPerSecond: 25_000,
      open: rival("octokit"),
      usesPackages: true,
    },
    express: {
      label: "Express",
      scheme: "hex",
      maxPerSecond: 15_000,
      open: rival("express"),
    },
    standardwebhooks: {
      label: "standardwebhooks in Express",
      scheme: "standard",
      maxPerSecond: 12_000,
      open: rival("standardwebhooks"),
      usesPackages: true,
    },
    redis: {
      label: "Express + Redis + BullMQ",
      scheme: "hex",
      maxPerSecond: 10_000,
      open: redisBullmq,
      usesPackages: true,
      missing: has("redis-server") ? undefined : "apt-get install redis-server",
    },
    webhook: {
      label: "webhook (Debian)",
      scheme: "github",
      maxPerSecond: 10_000,
      open: debianWebhook,
      missing: has("webhook") ? undefined : "apt-get install webhook",
    },
  };
  return servers;
}

/** Installs the packages of bench/rivals, unless they are installed. */
export function installRivals() {
  if (existsSync(path.join(RIVALS, "node_modules", "bullmq"))) {
    return;
  }
  console.log("installing the rivals' packages in bench/rivals");
  const { status } = spawnSync(
    "npm",
    ["ci", "--ignore-scripts", "--no-audit", "--no-fund"],
    { cwd: RIVALS, stdio: ["ignore", "ignore", "inherit"] },
  );
  if (status !== 0) {
    throw new Error("npm ci failed in bench/rivals; see its output above");
  }
}

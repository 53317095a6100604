// npm run bench: what Hexhook accepts durably, beside a bare node:http verifier that stores nothing, in one run.
// The server has one core and the load the other; absolute figures move from machine to machine, the ratio holds.
import { execFile, spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePort, pinned } from "./machine.mjs";

const here = import.meta.dirname;
const secret = randomBytes(32).toString("hex");
const folder = mkdtempSync(path.join(tmpdir(), "hexhook-bench-"));
const seconds = Number(process.env.BENCH_SECONDS ?? 5);
const rounds = Number(process.env.BENCH_ROUNDS ?? 3);
/** Well below what one core can accept and forward at once, so that waiting would show. */
const FORWARDED_PER_SECOND = 1500;

function start(script, args, env, stdio) {
  const [command, ...rest] = pinned(0, [process.execPath, script, ...args]);
  return spawn(command, rest, {
    cwd: folder,
    env: { ...process.env, HEX_SECRET: secret, ...env },
    stdio,
  });
}

async function stop(child) {
  const exited = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  await exited;
}

async function baseline() {
  const child = start(path.join(here, "baseline.mjs"), [], {}, [
    "ignore",
    "ignore",
    "inherit",
    "ipc",
  ]);
  const port = await new Promise((resolve) =>
    child.once("message", (message) => resolve(message.port)),
  );
  return { port, stop: () => stop(child) };
}

/** The destinations of bench/destination.mjs, in a process of their own on the load's core. */
async function startDestination() {
  const [command, ...rest] = pinned(1, [
    process.execPath,
    path.join(here, "destination.mjs"),
  ]);
  const child = spawn(command, rest, {
    stdio: ["ignore", "ignore", "inherit", "ipc"],
  });
  const next = () => new Promise((resolve) => child.once("message", resolve));
  const { port } = await next();
  return {
    url: `http://127.0.0.1:${port}`,
    async counts() {
      const answer = next();
      child.send("counts");
      return (await answer).counts;
    },
    stop: () => stop(child),
  };
}

async function hexhook(name, env) {
  const port = await freePort();
  const child = start(
    path.join(here, "..", "dist", "cli.js"),
    ["serve"],
    {
      HOST: "127.0.0.1",
      PORT: String(port),
      ADMIN_PORT: "0",
      DRAIN_SECONDS: "0",
      LOG_LEVEL: "warn",
      DATABASE_URL: `sqlite:${path.join(folder, `${name}.db`)}`,
      ...env,
    },
    ["ignore", "ignore", "inherit"],
  );
  for (;;) {
    const ready = await fetch(`http://127.0.0.1:${port}/readyz`).then(
      (response) => response.ok,
      () => false,
    );
    if (ready) {
      return { port, stop: () => stop(child) };
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

async function load(port, options) {
  const [command, ...rest] = pinned(1, [
    process.execPath,
    "--max-old-space-size=8192",
    path.join(here, "load.mjs"),
    JSON.stringify({
      port,
      connections: 64,
      seconds,
      bodyBytes: 1024,
      secret,
      ...options,
    }),
  ]);
  const { stdout } = await promisify(execFile)(command, rest);
  return JSON.parse(stdout);
}

const noHandlers = path.join(folder, "no-handlers.mjs");
writeFileSync(noHandlers, "export default {};\n");
const noop = path.join(folder, "noop.mjs");
writeFileSync(noop, 'export default { "*": () => undefined };\n');

const contestants = {
  "node:http, verifies, stores nothing": baseline,
  "hexhook, durable, no handler": (round) =>
    hexhook(`none-${round}`, { HANDLERS: noHandlers }),
  "hexhook, durable, no-op handler settled": (round) =>
    hexhook(`noop-${round}`, { HANDLERS: noop }),
};

const median = (values) =>
  values.sort((a, b) => a - b)[Math.floor(values.length / 2)];
const rates = {};
for (let round = 1; round <= rounds; round += 1) {
  for (const [name, open] of Object.entries(contestants)) {
    const server = await open(round);
    await load(server.port, { seconds: 1 });
    const result = await load(server.port);
    await server.stop();
    const { 200: good = 0, ...bad } = result.statuses;
    if (good === 0 || Object.keys(bad).length > 0 || result.ranDry) {
      throw new Error(`${name}: ${JSON.stringify(result)}`);
    }
    (rates[name] ??= []).push(result.perSecond);
    console.log(
      `round ${round}  ${name.padEnd(42)} ${result.perSecond.toFixed(0).padStart(7)}/s  p99 ${result.p99.toFixed(1)} ms`,
    );
  }
}

const [bare, accepts, handled] = Object.keys(contestants).map((name) =>
  median(rates[name]),
);
const half = await hexhook("half", { HANDLERS: noHandlers });
await load(half.port, { seconds: 1 });
const calm = await load(half.port, { rate: accepts / 2 });
await half.stop();

// The same load on a service that forwards to one destination, and on one that has another beside it which hangs.
const isolation = {};
for (const [name, paths] of Object.entries({
  alone: ["well"],
  beside: ["well", "dead"],
})) {
  const target = await startDestination();
  const config = path.join(folder, `${name}.yaml`);
  writeFileSync(
    config,
    `sources: { hex: { destinations: [${paths.join(", ")}] } }\ndestinations:\n${paths
      .map((to) => `  ${to}: { url: "${target.url}/${to}", concurrency: 32 }\n`)
      .join("")}`,
  );
  const server = await hexhook(`isolation-${name}`, { HEXHOOK_CONFIG: config });
  const result = await load(server.port, { rate: FORWARDED_PER_SECOND });
  const behind = (result.statuses[200] ?? 0) - (await target.counts()).well;
  while ((await target.counts()).well < result.statuses[200]) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  isolation[name] = { p99: result.p99, behind, accepted: result.statuses[200] };
  await server.stop();
  await target.stop();
}
rmSync(folder, { recursive: true, force: true });

console.log(`
medians of ${rounds} rounds of ${seconds} s, 64 connections, 1 KiB bodies, server on one core
  accepts ÷ bare node:http               ${(accepts / bare).toFixed(2)}   (goal 0.60)
  accepts with a handler ÷ without       ${(handled / accepts).toFixed(2)}   (goal 0.60)
  p99 of the answer at half the peak     ${calm.p99.toFixed(1)} ms (goal 10 ms)
at ${FORWARDED_PER_SECOND} events/s, each forwarded to a destination that is well
  p99 of the answer                      ${isolation.alone.p99.toFixed(1)} ms; with another that hangs beside it ${isolation.beside.p99.toFixed(1)} ms
  not yet delivered when the load ends   ${isolation.alone.behind} of ${isolation.alone.accepted}; with another that hangs beside it ${isolation.beside.behind} of ${isolation.beside.accepted}`);

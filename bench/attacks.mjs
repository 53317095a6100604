// Measures what each attack from the network costs: the memory of the service, and the latency of genuine deliveries.
// node bench/attacks.mjs [--cli PATH_OF_dist/cli.js] [--only NAME,...] [--json]
// The service runs on one core. The attacker (a separate process with low priority) and the genuine sender run on the
// other. The exit code is 1 if the service ended, a genuine delivery got no 200, a limit of LIMITS was exceeded, or the
// audit trail does not verify. All traffic stays on this machine.
import { execFile, spawn, spawnSync } from "node:child_process";
import { createHmac, randomBytes, randomUUID } from "node:crypto";
import * as fs from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { setPriority, tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { canPin, freePort, pinned, requireLinux } from "./machine.mjs";

const LIMITS = { rssMb: 250, genuineMs: 250 };
const ATTACK_MS = 8000;
/** The interval of genuine deliveries and of memory samples, in milliseconds. */
const EVERY_MS = 50;
/** Time after which a genuine delivery counts as failed. */
const GENUINE_TIMEOUT_MS = 30_000;
/** Time limit of one attack, including startup and shutdown of the service. */
const TIMEOUT_MS = 180_000;
const ENDPOINT = "/webhooks/hex";

/**
 * `run` is the attack; it runs in the process of the attacker. `execArgv` are Node options of the service, and `descriptors`
 * is its `ulimit -n`. `genuineFrom` is the address of the genuine sender, if the attack uses all connections of one address.
 */
const ATTACKS = {
  crash: { run: ({ port }) => crash(port) },
  "crash-admin": { run: ({ adminPort }) => crash(adminPort) },
  chunks: { run: chunks },
  segments: { run: segments },
  pipelined: { run: pipelined },
  unread: { run: ({ port }) => unread(port) },
  "unread-admin": { run: ({ adminPort }) => unread(adminPort) },
  idle: { run: ({ port }) => openOnce(3000, port), genuineFrom: "127.0.0.2" },
  "empty-lines": { run: emptyLines, genuineFrom: "127.0.0.2" },
  "few-descriptors": {
    run: ({ port }) => openOnce(400, port),
    descriptors: 256,
    genuineFrom: "127.0.0.2",
  },
  reset: { run: reset, countAddresses: true },
  "signed-trees": {
    run: signedTrees,
    execArgv: ["--max-old-space-size=1024"],
    knowsSecret: true,
  },
  "forged-flood": { run: forgedFlood },
};

// The process of the attacker

/** Counts connections, responses by status, errors by code, and what the attack has sent. */
const seen = {};
function count(name, by = 1) {
  seen[name] = (seen[name] ?? 0) + by;
}

/** Opens a connection. `start` is called before it is established, so that it can pause the socket before the first read. */
function open(port, start) {
  const socket = connect({ port, host: "127.0.0.1", noDelay: true });
  socket.on("connect", () => count("connections"));
  socket.on("error", (error) => count(error.code));
  socket.on("close", () => count("closed"));
  start(socket);
  return socket;
}

/** Keeps `connections` connections open. Each one that closes is replaced. */
function keepOpen(connections, port, start) {
  const next = () => open(port, start).on("close", () => setTimeout(next, 10));
  Array.from({ length: connections }, next);
}

/** Opens connections, slowly enough for the backlog of the listener. They send nothing unless `start` does. */
async function openOnce(
  connections,
  port,
  start = (socket) => socket.resume(),
) {
  for (let i = 1; i <= connections; i += 1) {
    open(port, start);
    if (i % 100 === 0) {
      await sleep(20);
    }
  }
}

/** Reads the responses of a connection, and calls `onResponse` at each status line. */
function onStatus(socket, onResponse = () => undefined) {
  let rest = "";
  socket.on("data", (chunk) => {
    const text = rest + chunk.toString("latin1");
    for (const [, status] of text.matchAll(/HTTP\/1\.1 (\d{3})/g)) {
      count(status);
      onResponse();
    }
    // The rest is shorter than a match, so that no status line is counted twice.
    rest = text.slice(-11);
  });
}

const post = (target, ...headers) =>
  [`POST ${target} HTTP/1.1`, "host: h", ...headers, "", ""].join("\r\n");

const deliveryHead = (timestamp, signature, framing) =>
  post(
    ENDPOINT,
    "content-type: application/json",
    `x-hex-timestamp: ${timestamp}`,
    `x-hex-signature: ${signature}`,
    framing,
  );

const unixSeconds = () => Math.floor(Date.now() / 1000);
const forgedHead = (framing) =>
  deliveryHead(unixSeconds(), "0".repeat(64), framing);
const forgedDelivery = (bytes) =>
  forgedHead(`content-length: ${bytes}`) +
  '{"id":"1","type":"t"}'.padEnd(bytes);

const GET = "GET /n HTTP/1.1\r\nHost: h\r\n\r\n";
const GETS = Math.ceil(70_000 / GET.length);
/** Requests of 70 KB in total. */
const pipeline = Buffer.from(GET.repeat(GETS));

/**
 * Sends in one write: a complete request, a request without its body, a third request, then invalid HTTP. On every second
 * connection the second request has its body, so that the parser emits the third request before it fails.
 */
function crash(port) {
  const start =
    post("/n", "transfer-encoding: chunked") +
    "5\r\nhello\r\n0\r\n\r\n" +
    post("/n", "content-length: 2");
  const end = `${GET}\x00\x01garbage\r\n\r\n`;
  let opened = 0;
  keepOpen(128, port, (socket) => {
    onStatus(socket);
    opened += 1;
    socket.write(start + (opened % 2 === 0 ? "xx" : "") + end);
    setTimeout(() => socket.destroy(), 250);
  });
}

/** Sends bodies in chunks of one byte. After a million chunks a connection stays open for another second. */
function chunks({ port }) {
  const perWrite = 10_000;
  const batch = Buffer.from("1\r\nx\r\n".repeat(perWrite));
  keepOpen(8, port, (socket) => {
    onStatus(socket);
    socket.write(forgedHead("transfer-encoding: chunked"));
    let left = 1_000_000;
    const next = (error) => {
      if (left === 0) {
        setTimeout(() => socket.destroy(), 1000);
      } else if (!error) {
        left -= perWrite;
        count("chunks", perWrite);
        socket.write(batch, next);
      }
    };
    next();
  });
}

/** Sends bodies with a declared length in TCP segments of one byte. */
function segments({ port }) {
  const sockets = new Set();
  keepOpen(32, port, (socket) => {
    onStatus(socket);
    socket.write(forgedHead("content-length: 1000000"), () =>
      sockets.add(socket),
    );
    socket.on("close", () => sockets.delete(socket));
  });
  const round = () => {
    for (const socket of sockets) {
      // Bytes that the kernel does not accept at once would later be sent in one larger segment.
      if (socket.writableLength === 0) {
        socket.write("x");
        count("segments");
      }
    }
    setImmediate(round);
  };
  round();
}

/** Sends many pipelined requests on each connection, and reads the responses. */
function pipelined({ port }) {
  keepOpen(40, port, (socket) => {
    let pending = 0;
    const send = () => {
      pending = GETS;
      count("GETs", GETS);
      socket.write(pipeline);
    };
    onStatus(socket, () => {
      pending -= 1;
      if (pending === 0) {
        send();
      }
    });
    send();
  });
}

/** Sends requests as long as the kernel accepts them, and reads no response. */
function unread(port) {
  keepOpen(40, port, (socket) => {
    socket.pause();
    const next = (error) => {
      if (!error) {
        count("GETs", GETS);
        socket.write(pipeline, next);
      }
    };
    next();
  });
}

/** Sends an empty line on each connection, twice a second. */
function emptyLines({ port }) {
  return openOnce(500, port, (socket) => {
    onStatus(socket);
    const timer = setInterval(() => socket.write("\r\n"), 500);
    socket.on("close", () => clearInterval(timer));
  });
}

/** Sends forged deliveries and resets each connection at once. */
async function reset({ port }) {
  for (;;) {
    const bytes = forgedDelivery(64);
    for (let i = 0; i < 200; i += 1) {
      const socket = open(port, () => undefined);
      socket.on("connect", () => {
        socket.write(bytes);
        socket.resetAndDestroy();
      });
    }
    await sleep(200);
  }
}

const isWriting = ({ destroyed, writableLength }) =>
  !destroyed && writableLength > 0;

/** Sends genuine deliveries of 1 MB that would parse into 333,300 objects each. The last bytes of all are sent together. */
async function signedTrees({ port, secret }) {
  const objects = Array(333_300).fill("{}").join();
  const tail = Buffer.from(`,"type":"t","a":[${objects}]}`);
  for (;;) {
    const round = Array.from({ length: 120 }, () => {
      const start = `{"id":"${randomUUID()}"`;
      const timestamp = unixSeconds();
      const mac = sign(secret, timestamp, start, tail);
      const length = start.length + tail.length;
      const head = deliveryHead(timestamp, mac, `content-length: ${length}`);
      return open(port, (socket) => {
        onStatus(socket, () => socket.destroy());
        socket.write(head + start);
        socket.write(tail.subarray(0, -1));
      });
    });
    const closed = round.map(
      (socket) => new Promise((resolve) => socket.once("close", resolve)),
    );
    // Wait at most 1 s, because the service may read some bodies later than others.
    for (let i = 0; i < 100 && round.some(isWriting); i += 1) {
      await sleep(10);
    }
    await sleep(1000); // the service reads what the kernel has received
    round.forEach((socket) => socket.write(tail.subarray(-1)));
    await Promise.all(closed);
  }
}

/** Sends forged deliveries as fast as possible. */
function forgedFlood({ port }) {
  const bytes = forgedDelivery(1024);
  keepOpen(64, port, (socket) => {
    const send = () => socket.write(bytes);
    onStatus(socket, send);
    send();
  });
}

function attack({ name, ...target }) {
  const finish = () => process.send(seen, () => process.exit());
  setPriority(10);
  process.once("message", finish);
  setTimeout(finish, ATTACK_MS);
  ATTACKS[name].run(target);
}

// The service, the genuine sender, and the measurements

const children = new Set();
const folders = new Set();

function start(core, command, options) {
  const [program, ...args] = pinned(core, command);
  const child = spawn(program, args, options);
  children.add(child);
  const exited = new Promise((resolve) => child.once("exit", resolve));
  exited.then(() => children.delete(child));
  return { child, exited };
}

function removeFolder(folder) {
  fs.rmSync(folder, { recursive: true, force: true });
  folders.delete(folder);
}

function sign(secret, timestamp, ...parts) {
  const mac = createHmac("sha256", secret).update(`${timestamp}.`);
  parts.forEach((part) => mac.update(part));
  return mac.digest("hex");
}

/** Sends one request on a new connection. `status` is null if there was no response in time. */
async function sendRequest(options, body) {
  const sentAt = performance.now();
  const status = await new Promise((resolve) => {
    const signal = AbortSignal.timeout(GENUINE_TIMEOUT_MS);
    const defaults = { host: "127.0.0.1", agent: false, signal };
    const req = request({ ...defaults, ...options }, (res) => {
      res.resume();
      res.on("end", () => resolve(res.statusCode));
      res.on("error", () => resolve(null));
    });
    req.on("error", () => resolve(null));
    req.end(body);
  });
  return { status, ms: performance.now() - sentAt };
}

function sendGenuine({ secret, port }, localAddress) {
  const body = JSON.stringify({ id: `evt_${randomUUID()}`, type: "genuine" });
  const timestamp = unixSeconds();
  const headers = {
    "content-type": "application/json",
    "x-hex-timestamp": String(timestamp),
    "x-hex-signature": sign(secret, timestamp, body),
  };
  const target = { port, localAddress, path: ENDPOINT, method: "POST" };
  return sendRequest({ ...target, headers }, body);
}

/** Returns the larger of VmRSS and VmHWM in MB; 0 once the process has ended. */
function memoryOf(pid) {
  try {
    const text = fs.readFileSync(`/proc/${pid}/status`, "utf8");
    const fields = text.matchAll(/^Vm(?:RSS|HWM):\s+(\d+)/gm);
    return Math.max(0, ...Array.from(fields, ([, kb]) => kb / 1024));
  } catch {
    return 0;
  }
}

function socketsOf(pid) {
  const isSocket = (fd) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/fd/${fd}`).startsWith("socket:");
    } catch {
      return false; // closed since the directory was read
    }
  };
  return fs.readdirSync(`/proc/${pid}/fd`).filter(isSocket).length;
}

/** Counts the lines at level error or above, and lines that are not log lines of the service, such as a stack trace of Node. */
function errorsIn(log) {
  const harmless = /^\{"level":"(?:trace|debug|info|warn)"|^$/;
  return log.split("\n").filter((line) => !harmless.test(line)).length;
}

async function startService(cli, { execArgv = [], descriptors }) {
  const cwd = fs.mkdtempSync(path.join(tmpdir(), "hexhook-attacks-"));
  folders.add(cwd);
  const inFolder = (name) => path.join(cwd, name);
  fs.writeFileSync(inFolder("handlers.mjs"), "export default {};\n");
  const secret = randomBytes(32).toString("hex");
  const [port, adminPort] = [await freePort(), await freePort()];
  const env = {
    ...process.env,
    HEX_SECRET: secret,
    HEX_SECRET_CREATED_AT: new Date().toISOString().slice(0, 10),
    HOST: "127.0.0.1",
    PORT: String(port),
    ADMIN_PORT: String(adminPort),
    DRAIN_SECONDS: "0",
    LOG_LEVEL: "warn",
    AUDIT_STDOUT: "off",
    DATABASE_URL: `sqlite:${inFolder("hexhook.db")}`,
    HANDLERS: inFolder("handlers.mjs"),
  };
  const limit = descriptors
    ? ["sh", "-c", `ulimit -n ${descriptors} && exec "$@"`, "sh"]
    : [];
  // stderr goes to a file, because a pipe from Node would count as a socket.
  const log = fs.openSync(inFolder("stderr.log"), "w");
  const { child, exited } = start(
    0,
    [...limit, process.execPath, ...execArgv, cli, "serve"],
    { cwd, env, stdio: ["ignore", "ignore", log] },
  );
  fs.closeSync(log);
  const state = () =>
    child.signalCode ??
    (child.exitCode === null ? "alive" : `exit ${child.exitCode}`);
  const readLog = () => fs.readFileSync(inFolder("stderr.log"), "utf8");
  while ((await sendRequest({ port, path: "/readyz" })).status !== 200) {
    if (state() !== "alive") {
      throw new Error(`the service did not start: ${readLog()}`);
    }
    await sleep(EVERY_MS);
  }
  /** Runs another command on the same store. */
  const run = (...args) =>
    new Promise((resolve) => {
      const options = { cwd, env, maxBuffer: 2 ** 28, timeout: 60_000 };
      const command = [cli, ...args];
      execFile(process.execPath, command, options, (error, stdout) => {
        resolve({
          code: error === null ? 0 : (error.code ?? "killed"),
          stdout,
        });
      });
    });
  return { child, exited, state, cwd, port, adminPort, secret, readLog, run };
}

/** Runs the attacker until it or the service ends, and resolves to what the attacker counted. */
async function runAttacker(name, service) {
  const { port, adminPort } = service;
  const secret = ATTACKS[name].knowsSecret ? service.secret : undefined;
  const target = JSON.stringify({ name, port, adminPort, secret });
  const { child, exited } = start(
    1,
    [process.execPath, import.meta.filename, "attacker", target],
    {
      stdio: ["ignore", "ignore", "inherit", "ipc"],
      timeout: ATTACK_MS + 5000,
      killSignal: "SIGKILL",
    },
  );
  let result = {};
  child.once("message", (message) => {
    result = message;
  });
  await Promise.race([exited, service.exited]);
  if (child.connected) {
    child.send("stop", () => undefined);
  }
  await exited;
  return result;
}

/** Counts the rejected deliveries in the audit trail without an address, and with one. */
async function countAddresses(run) {
  const filter = ["--action", "webhook.rejected", "-n", "100000"];
  const { stdout } = await run("audit", "tail", "--json", ...filter);
  const ipUnknown = stdout.split('"ip":"unknown"').length - 1;
  return { ipUnknown, ipKnown: stdout.split('"ip":').length - 1 - ipUnknown };
}

/** Measures an attack and returns its row of the table; the keys are the column titles. */
async function measure(cli, name) {
  const { genuineFrom = "127.0.0.1", ...options } = ATTACKS[name];
  const service = await startService(cli, options);
  const { child, exited, state, run } = service;
  let peak = 0;
  const sampling = setInterval(() => {
    peak = Math.max(peak, memoryOf(child.pid));
  }, EVERY_MS);
  const deliveries = [];
  const sending = setInterval(() => {
    deliveries.push(sendGenuine(service, genuineFrom));
  }, EVERY_MS);
  let attacker = await runAttacker(name, service);
  clearInterval(sending);
  await sleep(2000);
  const sockets = state() === "alive" ? socketsOf(child.pid) : null;
  const genuine = await Promise.all(deliveries);
  clearInterval(sampling);
  peak = Math.max(peak, memoryOf(child.pid));

  if (genuine.some(({ status }) => status === null)) {
    // When a process aborts, its connections are reset some time before its exit is reported.
    await Promise.race([exited, sleep(3000, null, { ref: false })]);
  }
  let ended = state();
  let verify = null;
  if (ended === "alive") {
    child.kill("SIGTERM");
    await Promise.race([exited, sleep(20_000, null, { ref: false })]);
    if (state() !== "exit 0") {
      ended =
        state() === "alive" ? "stuck at shutdown" : `${state()} at shutdown`;
      child.kill("SIGKILL");
      await exited;
    }
    verify = (await run("audit", "verify")).code;
    if (options.countAddresses) {
      attacker = { ...attacker, ...(await countAddresses(run)) };
    }
  }
  const errors = errorsIn(service.readLog());
  removeFolder(service.cwd);

  const responses = genuine.filter(({ status }) => status !== null);
  const ok = responses.filter(({ status }) => status === 200).length;
  const times = responses.map(({ ms }) => Math.round(ms)).sort((a, b) => a - b);
  const at = (q) => times[Math.floor((times.length - 1) * q)] ?? null;
  return {
    attack: name,
    service: ended,
    "peak MB": Math.round(peak),
    sent: genuine.length,
    ok,
    other: responses.length - ok,
    failed: genuine.length - responses.length,
    "p50 ms": at(0.5),
    "p99 ms": at(0.99),
    "max ms": at(1),
    sockets,
    errors,
    verify,
    attacker,
  };
}

/** Returns the limits that a row exceeds, as texts. */
function exceededBy(row) {
  return [
    row.service !== "alive" && row.service,
    row.ok < row.sent && `${row.sent - row.ok} genuine deliveries without 200`,
    row["peak MB"] > LIMITS.rssMb && `${row["peak MB"]} MB`,
    row["max ms"] > LIMITS.genuineMs && `${row["max ms"]} ms`,
    row.errors > 0 && `${row.errors} error lines in the log`,
    (row.verify ?? 0) !== 0 && `audit verify ${row.verify}`,
  ].filter((text) => text !== false);
}

function print({ attack: name, attacker, ...figures }, isFirst) {
  const columns = (cells) =>
    cells.map((cell) => String(cell ?? "-").padStart(8)).join(" ");
  if (isFirst) {
    console.log(`${"attack".padEnd(15)} ${columns(Object.keys(figures))}`);
  }
  const values = columns(Object.values(figures));
  console.log(`${name.padEnd(15)} ${values}  ${JSON.stringify(attacker)}`);
}

async function main() {
  const { values } = parseArgs({
    options: {
      cli: {
        type: "string",
        default: path.join(import.meta.dirname, "../dist/cli.js"),
      },
      only: { type: "string", default: Object.keys(ATTACKS).join() },
      json: { type: "boolean", default: false },
    },
  });
  const names = values.only.split(",");
  const unknown = names.filter((name) => !Object.hasOwn(ATTACKS, name));
  if (unknown.length > 0) {
    throw new Error(
      `unknown attack: ${unknown.join(", ")} (attacks: ${Object.keys(ATTACKS).join(", ")})`,
    );
  }
  requireLinux("npm run bench:attacks");
  if (canPin) {
    spawnSync("taskset", ["-acp", "1", String(process.pid)]);
  }
  setTimeout(() => {
    throw new Error("the attacks did not end in time");
  }, names.length * TIMEOUT_MS).unref();
  const exceeded = [];
  for (const name of names) {
    const row = await measure(path.resolve(values.cli), name);
    if (values.json) {
      console.log(JSON.stringify(row));
    } else {
      print(row, name === names[0]);
    }
    const found = exceededBy(row);
    if (found.length > 0) {
      exceeded.push(`${name} (${found.join(", ")})`);
    }
  }
  if (exceeded.length > 0) {
    const report = values.json ? console.error : console.log;
    report(`limits exceeded: ${exceeded.join("; ")}`);
    process.exitCode = 1;
  }
}

if (process.argv[2] === "attacker") {
  attack(JSON.parse(process.argv[3]));
} else {
  process.once("exit", () => {
    children.forEach((child) => child.kill("SIGKILL"));
    folders.forEach(removeFolder);
  });
  process.once("SIGINT", () => process.exit(1));
  process.once("SIGTERM", () => process.exit(1));
  await main();
}

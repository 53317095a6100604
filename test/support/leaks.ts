import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The variable that marks the processes that a test file starts. Their children inherit it. */
export const MARK_NAME = "TEST_FILE_MARK";
export const MARK = `${process.pid}-${Date.now()}`;

/** The kinds of resources that are open after a test only if the test forgot to close them. */
const KINDS = new Set([
  "FSEventWrap",
  "MessagePort",
  "ProcessWrap",
  "StatWatcher",
  "TCPServerWrap",
  "TCPSocketWrap",
  "Worker",
]);

export type Resources = ReadonlyMap<string, number>;

/** Returns the number of open resources of each kind in this process. */
export function openResources(): Resources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (KINDS.has(kind)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return counts;
}

/** Kills the marked processes that still run, and returns their command lines. On systems other than Linux it finds none. */
export function killMarkedProcesses(): string[] {
  const killed = new Map<number, string>();
  // A killed process may have started another one just before.
  for (let found = markedProcesses(); found.length > 0;) {
    for (const pid of found) {
      const command = readProc(pid, "cmdline").replaceAll("\0", " ");
      killed.set(pid, killed.get(pid) ?? `${pid}: ${command.trim()}`);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // The process has ended meanwhile.
      }
    }
    found = markedProcesses();
  }
  return [...killed.values()];
}

/** Returns the marked processes that run. On systems other than Linux it finds none. */
export function markedProcesses(): number[] {
  return processIds().filter(
    (pid) => pid !== process.pid && readProc(pid, "environ").includes(MARK),
  );
}

function processIds(): number[] {
  try {
    return readdirSync("/proc").map(Number).filter(Number.isInteger);
  } catch {
    return [];
  }
}

/** Empty when the process has ended, even if it is a zombie. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** Throws when more is open than before. It waits first, because a pool closes its sockets after the test. */
export async function expectNoLeak(
  before: Resources,
  settleMs = 10_000,
): Promise<void> {
  const deadline = Date.now() + settleMs;
  for (;;) {
    const leaked = [...openResources()].filter(
      ([kind, count]) => count > (before.get(kind) ?? 0),
    );
    if (leaked.length === 0) {
      return;
    }
    if (Date.now() > deadline) {
      const names = leaked.map(
        ([kind, count]) => `${kind} (${count - (before.get(kind) ?? 0)})`,
      );
      throw new Error(`the test left open: ${names.join(", ")}`);
    }
    await delay(10);
  }
}

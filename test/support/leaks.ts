import { readdirSync, readFileSync } from "node:fs";
import { setTimeout as delay } from "node:timers/promises";

/** The variable that marks the processes that a file of tests starts, and those that they start in turn. */
export const MARK_NAME = "TEST_FILE_MARK";
export const MARK = `${process.pid}-${Date.now()}`;

/** What outlives a test only when the test has forgotten to end it. */
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

/** How many resources of each kind are open in this process. */
export function openResources(): Resources {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    if (KINDS.has(kind)) {
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
    }
  }
  return counts;
}

/** Kills the marked processes that are still there. Gives their command lines. Linux only: elsewhere it sees none. */
export function killMarkedProcesses(): string[] {
  const killed = new Map<number, string>();
  // One that is killed may have started another just before.
  for (let found = markedProcesses(); found.length > 0;) {
    for (const pid of found) {
      const command = readProc(pid, "cmdline").replaceAll("\0", " ");
      killed.set(pid, killed.get(pid) ?? `${pid}: ${command.trim()}`);
      try {
        process.kill(pid, "SIGKILL");
      } catch {
        // It has ended meanwhile.
      }
    }
    found = markedProcesses();
  }
  return [...killed.values()];
}

/** The marked processes that are there. Linux only: elsewhere it sees none. */
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

/** Empty when the process is gone, as a zombie is. */
function readProc(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "latin1");
  } catch {
    return "";
  }
}

/** Throws when more is open than before, once everything had time to close: a pool closes its sockets later than a test. */
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
      throw new Error(`the test has left open: ${names.join(", ")}`);
    }
    await delay(10);
  }
}

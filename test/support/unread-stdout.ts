import { expect } from "@jest/globals";
import { execFileSync } from "node:child_process";
import { constants, openSync, readFileSync, writeFileSync } from "node:fs";
import { Socket } from "node:net";
import path from "node:path";
import { cleanUp } from "./cleanup.ts";
import { eventually } from "./eventually.ts";
import { eventBody, signed } from "./fixtures.ts";
import { storeFileIn } from "./open-test-store.ts";
import { serve } from "./processes.ts";
import { readTrail } from "./read-trail.ts";
import { Sink, startTestService } from "./service.ts";
import { readColumn } from "./store-file.ts";
import { storedEvents } from "./stored-events.ts";
import { inParallel } from "./in-parallel.ts";

type Serving = Awaited<ReturnType<typeof serve>>;

interface Reader {
  readonly service: Serving;
  /** Stops reading. */
  readonly stall: () => void;
  /** Closes the reading end. */
  readonly leave: () => void;
}

/** Makes attempts fail immediately and often, which creates many entries. A small young heap makes the measurement exact. */
function verboseEnv(folder: string): Record<string, string> {
  writeFileSync(
    path.join(folder, "failing.mjs"),
    'export default { "*": () => { throw new Error("no"); } };\n',
  );
  return {
    HANDLERS: "failing.mjs",
    RETRY_SCHEDULE: Array.from({ length: 12 }, () => "50ms").join(","),
    LOG_LEVEL: "fatal",
    NODE_OPTIONS: "--max-semi-space-size=1",
  };
}

/** Opens a pair of sockets, as Node does for the pipe of a child. */
export async function throughSocket(folder: string): Promise<Reader> {
  const service = await serve(folder, verboseEnv(folder));
  return {
    service,
    stall: () => service.child.stdout.pause(),
    leave: () => service.child.stdout.destroy(),
  };
}

/** Opens a pipe of the kernel, as a shell does. */
export async function throughPipe(folder: string): Promise<Reader> {
  const fifo = path.join(folder, "stdout");
  execFileSync("mkfifo", [fifo]);
  const flags = constants.O_RDONLY | constants.O_NONBLOCK;
  const reader = new Socket({ fd: openSync(fifo, flags), readable: true });
  cleanUp(() => reader.destroy());
  reader.resume();
  const service = await serve(folder, verboseEnv(folder), [
    ...["sh", "-c", 'exec "$@" > stdout', "sh"],
  ]);
  return {
    service,
    stall: () => reader.pause(),
    leave: () => reader.destroy(),
  };
}

/** Returns the memory that a process uses, in MiB. */
function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

/**
 * Sends `warmUp` deliveries while standard output is read, `stuck` while it is not read, and `closed` after its reader has
 * gone. Expects 200 for all of them, a running process, and that the next start prints the unread entries. Returns the growth
 * of the process's memory while standard output was not read, in MiB.
 */
export async function expectUnreadStdoutHarmless(
  folder: string,
  open: (folder: string) => Promise<Reader>,
  counts: { warmUp: number; stuck: number; closed: number },
): Promise<number> {
  const file = storeFileIn(folder);
  const { service, stall, leave } = await open(folder);
  let sent = 0;
  const rejected: number[] = [];

  /** The ids and types have the maximum length, which makes long audit lines. */
  async function send(count: number): Promise<void> {
    const until = sent + count;
    await inParallel(16, async () => {
      if (sent >= until) {
        return false;
      }
      sent += 1;
      const id = `evt_${sent}_`.padEnd(256, "é");
      const body = eventBody(id, "t".padEnd(128, "é"));
      const { status } = await service.post(body, signed(body));
      if (status !== 200) {
        rejected.push(status);
      }
      return true;
    });
  }

  /** Returns the number of entries that standard output has not accepted. */
  function unreadEntries(): number {
    const [last] = readColumn(file, "SELECT max(position) FROM audit_entry");
    const [taken] = readColumn(
      file,
      "SELECT position FROM audit_sink WHERE name = 'stdout'",
    );
    return Number(last) - Number(taken);
  }

  await send(counts.warmUp);
  stall();
  const memory = residentMiB(service.child.pid!);
  await send(counts.stuck);
  // This is more than a batch and the buffers of a pipe hold.
  await eventually(() => unreadEntries() > 500);
  const grown = residentMiB(service.child.pid!) - memory;
  leave();
  await send(counts.closed);

  expect(rejected).toEqual([]);
  expect(service.child.exitCode).toBeNull();
  expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  expect(await service.stop()).toEqual({ code: 0, signal: null });
  const trail = await readTrail(file);
  const accepted = trail
    .filter(({ action }) => action === "webhook.accepted")
    .map(({ metadata }) => metadata["eventId"]);
  expect(accepted).toHaveLength(sent);
  expect(accepted.toSorted()).toEqual(
    storedEvents(file)
      .map(({ id }) => id)
      .toSorted(),
  );
  const reported = trail
    .filter(({ metadata }) => metadata["sink"] === "stdout")
    .map(({ action }) => action);
  expect(reported).toEqual(["audit.sink_degraded"]);

  // The next start prints the unread entries, except those that were in the buffers.
  const unread = unreadEntries();
  const stdout = new Sink();
  const next = await startTestService(folder, { deps: { stdout } });
  await next.stop();
  const printed = stdout.text.trimEnd().split("\n");
  const stored = readColumn(
    file,
    "SELECT line FROM audit_entry ORDER BY position",
  ).map((line) => `[AUDIT] ${String(line)}`);
  expect(printed.length).toBeGreaterThan(unread);
  expect(printed).toEqual(stored.slice(-printed.length));
  return grown;
}

import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { once } from "node:events";
import {
  constants,
  openSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { Socket } from "node:net";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import type { Environment } from "../../src/config/load-config.ts";
import { asError } from "../../src/errors.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { eventually } from "../support/eventually.ts";
import { readTrail } from "../support/read-trail.ts";
import { seededRandom } from "../support/seeded-random.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { serve } from "../support/processes.ts";
import { openFile } from "../support/store-file.ts";

type Serving = Awaited<ReturnType<typeof serve>>;

let folder: ReturnType<typeof temporaryFolder>;
/** Everything that a test started, for `afterEach` to end. */
let children: ChildProcess[];
let servers: Server[];

const storeFile = (): string => path.join(folder.path, "hexhook.db");

beforeEach(() => {
  folder = temporaryFolder();
  children = [];
  servers = [];
  writeFileSync(
    path.join(folder.path, "no-handlers.mjs"),
    "export default {};\n",
  );
});

afterEach(async () => {
  await Promise.all(children.map(kill));
  await Promise.all(
    servers.map(async (server) => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    }),
  );
});

/** `hexhook serve` on the test's store, without handlers. */
async function start(
  env: Environment = {},
  via: readonly string[] = [],
): Promise<Serving> {
  const service = await serve(
    folder.path,
    { HANDLERS: "no-handlers.mjs", ...env },
    via,
  );
  children.push(service.child);
  return service;
}

/** How a process ended by itself, which it has to soon. */
async function endOf({ child, exited }: Serving): ReturnType<Serving["stop"]> {
  await eventually(() => child.exitCode !== null || child.signalCode !== null);
  return exited;
}

/** Ends a child for certain. */
async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    const exit = once(child, "exit");
    child.kill("SIGKILL");
    await exit;
  }
}

interface StoredEvent {
  readonly id: string;
  readonly body: Buffer;
}

/** What is in the store, read by a connection of its own. */
function storedEvents(): StoredEvent[] {
  const db = openFile(storeFile(), { readOnly: true });
  const events = db
    .prepare<[], { id: string; body: Uint8Array }>(
      "SELECT id, body FROM event ORDER BY seq",
    )
    .all();
  db.close();
  return events.map(({ id, body }) => ({ id, body: Buffer.from(body) }));
}

function idsOf(events: readonly StoredEvent[]): string[] {
  return events.map(({ id }) => id);
}

/** The event ids that the entries of an action name, in order; throws when the trail is not intact. */
async function auditedIds(action: string): Promise<unknown[]> {
  const entries = await readTrail(storeFile());
  return entries
    .filter((entry) => entry.action === action)
    .map(({ metadata }) => metadata["eventId"]);
}

async function auditedActions(): Promise<string[]> {
  return (await readTrail(storeFile())).map(({ action }) => action);
}

/** Has `work` done `concurrency` times side by side until one of them says that there is no more. */
async function together(
  concurrency: number,
  work: () => Promise<boolean>,
): Promise<void> {
  let more = true;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (more) {
        more = (await work()) && more;
      }
    }),
  );
}

interface Attempt {
  readonly webhookId: string;
  readonly attempt: string;
  readonly body: Buffer;
}

/** A destination that answers 200 and remembers what it was brought. */
async function recordAttempts(): Promise<{ url: string; seen: Attempt[] }> {
  const seen: Attempt[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on("error", () => undefined);
    req.on("data", (chunk: Buffer) => chunks.push(chunk));
    req.on("end", () => {
      seen.push({
        webhookId: String(req.headers["webhook-id"]),
        attempt: String(req.headers["x-hexhook-attempt"]),
        body: Buffer.concat(chunks),
      });
      res.end();
    });
  });
  servers.push(server);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") {
    throw new Error("no port");
  }
  return { url: `http://127.0.0.1:${address.port}/hook`, seen };
}

describe("a process that is killed at any instant", () => {
  const ROUNDS = 20;
  const SENDERS = 16;

  it("loses nothing that it acknowledged, forwards it byte for byte, and leaves an intact trail", async () => {
    const seed = randomInt(2 ** 31);
    const random = seededRandom(seed);
    const instants = Array.from({ length: ROUNDS }, () =>
      Math.round(20 + 280 * random()),
    );
    const destination = await recordAttempts();
    const env = {
      FORWARD_URL: destination.url,
      ATTEMPT_TIMEOUT: "1s",
      RETRY_SCHEDULE: "50ms,100ms,200ms,400ms,800ms,1s,1s,1s",
    };
    const sent = new Map<string, Buffer>();
    const acknowledged = new Set<string>();
    const refused: number[] = [];

    /** Spaces, escapes and 0 to 4 KiB of text: parsed and written again it would be other bytes. */
    function nextBody(): { id: string; body: Buffer } {
      const id = `evt_${sent.size}`;
      const text = "é\u2028 ".repeat(Math.floor(700 * random() ** 4));
      const body = Buffer.from(
        `{ "data":{"text":"${text}","n":1.0e1},\n"type":"resource.created","id" : "${id}" }`,
      );
      sent.set(id, body);
      return { id, body };
    }

    async function killUnderLoad(instant: number): Promise<void> {
      const service = await start(env);
      const killed = delay(instant).then(() => service.stop("SIGKILL"));
      await together(SENDERS, async () => {
        const { id, body } = nextBody();
        try {
          const answer = await service.post(body, signed(body));
          if (answer.status === 200) {
            acknowledged.add(id);
          } else {
            refused.push(answer.status);
          }
          await answer.arrayBuffer();
          return true;
        } catch {
          return false;
        }
      });
      await killed;
    }

    async function everythingHolds(): Promise<void> {
      for (const instant of instants) {
        await killUnderLoad(instant);
      }
      expect(acknowledged.size).toBeGreaterThan(ROUNDS);
      expect(refused).toEqual([]);
      const service = await start(env);

      // What got no answer is sent once more, as a sender would: new or known, it is received now.
      const open = [...sent].filter(([id]) => !acknowledged.has(id));
      await Promise.all(
        open.map(async ([, body]) => {
          const at = Date.now() + 2000;
          const answer = await service.post(body, signed(body, { at }));
          if (answer.status !== 200) {
            refused.push(answer.status);
          }
        }),
      );
      expect(refused).toEqual([]);
      await eventually(
        () =>
          new Set(destination.seen.map(({ webhookId }) => webhookId)).size >=
          sent.size,
        30_000,
      );
      expect(await service.stop()).toMatchObject({ code: 0 });

      const stored = new Map(
        storedEvents().map(({ id, body }) => [id, body.toString("latin1")]),
      );
      const wanted = new Map(
        [...sent].map(([id, body]) => [id, body.toString("latin1")]),
      );
      const lost = [...acknowledged].filter((id) => !stored.has(id));
      expect(lost).toEqual([]);
      expect(stored).toEqual(wanted);

      const wrong = destination.seen.filter(
        ({ webhookId, body }) =>
          stored.get(webhookId) !== body.toString("latin1"),
      );
      expect(wrong).toEqual([]);
      // The attempt is counted durably before it starts: no number comes twice.
      const attempts = destination.seen.map(
        ({ webhookId, attempt }) => `${webhookId} ${attempt}`,
      );
      expect(new Set(attempts).size).toBe(attempts.length);

      const accepted = await auditedIds("webhook.accepted");
      expect(accepted.toSorted()).toEqual([...stored.keys()].toSorted());
      const succeeded = await auditedIds("delivery.succeeded");
      expect(succeeded.toSorted()).toEqual([...stored.keys()].toSorted());
      const actions = await auditedActions();
      expect(
        actions.filter((action) => action === "server.started"),
      ).toHaveLength(ROUNDS + 1);
    }

    await everythingHolds().catch((cause: unknown) => {
      throw new Error(
        `seed ${seed}: killed after ${instants.join(", ")} ms of load`,
        { cause },
      );
    });
  });
});

/** Has a running process traced, with faults injected, until `letGo()`. Rejects when strace cannot do it. */
async function attachStrace(
  pid: number,
  options: readonly string[],
): Promise<{ letGo: () => Promise<void> }> {
  const tracer = spawn(
    "strace",
    ["-f", "-o", "/dev/null", "-p", String(pid), ...options],
    { stdio: ["ignore", "ignore", "pipe"] },
  );
  let said = "";
  tracer.stderr.on("data", (chunk: Buffer) => {
    said += chunk.toString();
  });
  await once(tracer, "spawn");
  children.push(tracer);
  const ended = once(tracer, "close");
  await eventually(() => {
    if (tracer.exitCode !== null) {
      throw new Error(said);
    }
    return said.includes("attached");
  });
  return {
    async letGo() {
      tracer.kill("SIGTERM");
      await ended;
    },
  };
}

/** Why strace cannot hold on to another process here; null when it can. */
async function whyNoStrace(): Promise<string | null> {
  const target = spawn("sleep", ["60"], { stdio: "ignore" });
  children = [target];
  try {
    await once(target, "spawn");
    const { letGo } = await attachStrace(target.pid!, ["-e", "trace=none"]);
    await letGo();
    return null;
  } catch (error) {
    return asError(error).message.trim();
  } finally {
    await Promise.all(children.map(kill));
  }
}

const noStrace = await whyNoStrace();
const describeUnderStrace = noStrace === null ? describe : describe.skip;

describeUnderStrace(
  `a fault of the disk${noStrace === null ? "" : ` (skipped, strace cannot be used: ${noStrace})`}`,
  () => {
    const SYNCS = "inject=fsync,fdatasync:error=EIO";
    const WRITES = "inject=pwrite64,pwritev,write:error=ENOSPC";

    it.each([
      { what: "every sync fails", fault: SYNCS },
      { what: "one sync fails and the next succeed", fault: `${SYNCS}:when=1` },
    ])(
      "is answered 503 when $what, ends the process with 70, and lets the identical retry in after a restart",
      async ({ fault }) => {
        const first = await start();
        const before = eventBody("evt_before");
        expect((await first.post(before, signed(before))).status).toBe(200);
        const body = eventBody("evt_1");
        const headers = signed(body);

        await attachStrace(first.child.pid!, ["-e", fault]);
        const refused = await first.post(body, headers);

        expect(refused.status).toBe(503);
        expect(refused.headers.get("retry-after")).not.toBeNull();
        expect(await refused.json()).toMatchObject({ code: "unavailable" });
        expect(await endOf(first)).toEqual({ code: 70, signal: null });

        const second = await start();
        const retried = await second.post(body, headers);
        expect(retried.status).toBe(200);
        expect(await retried.json()).toEqual({
          received: true,
          status: "accepted",
          id: "evt_1",
        });
        expect((await second.post(body, headers)).status).toBe(409);
        expect(idsOf(storedEvents())).toEqual(["evt_before", "evt_1"]);
        expect(await auditedIds("webhook.accepted")).toEqual([
          "evt_before",
          "evt_1",
        ]);
        expect(await auditedActions()).toContain("store.failed");
      },
      30_000,
    );

    it("acknowledges none of many deliveries at once when the sync fails, and takes all their retries after a restart", async () => {
      const first = await start();
      const deliveries = Array.from({ length: 40 }, (_, n) => {
        const body = eventBody(`evt_${n}`);
        return { body, headers: signed(body) };
      });
      const statuses = (service: Serving): Promise<(number | "no answer")[]> =>
        Promise.all(
          deliveries.map(({ body, headers }) =>
            service.post(body, headers).then(
              ({ status }) => status,
              () => "no answer" as const,
            ),
          ),
        );

      await attachStrace(first.child.pid!, ["-e", SYNCS]);
      const refused = await statuses(first);

      expect(refused).toContain(503);
      expect(
        refused.filter((status) => status !== 503 && status !== "no answer"),
      ).toEqual([]);
      expect(await endOf(first)).toEqual({ code: 70, signal: null });

      const second = await start();
      expect(await statuses(second)).toEqual(deliveries.map(() => 200));
      expect(await auditedIds("webhook.accepted")).toHaveLength(40);
      expect(storedEvents()).toHaveLength(40);
    });

    it("that hits the move of the log into the file ends the process with 70, and loses nothing acknowledged", async () => {
      const first = await start();
      const acknowledged: string[] = [];
      const padding = "x".repeat(600_000);

      // Syncs of the log succeed, those of the database file do not.
      await attachStrace(first.child.pid!, [
        ...["-e", "trace=fsync,fdatasync", "-e", SYNCS],
        ...["-P", realpathSync(storeFile())],
      ]);
      let sent = 0;
      await together(2, async () => {
        const id = `evt_${(sent += 1)}`;
        const body = Buffer.from(
          JSON.stringify({ id, type: "resource.created", padding }),
        );
        const status = await first.post(body, signed(body)).then(
          (answer) => answer.status,
          () => 0,
        );
        if (status === 200) {
          acknowledged.push(id);
        }
        return status === 200 && sent < 200;
      });

      expect(await endOf(first)).toEqual({ code: 70, signal: null });
      expect(acknowledged.length).toBeGreaterThan(5);
      await start();
      expect(idsOf(storedEvents())).toEqual(
        expect.arrayContaining(acknowledged),
      );
      expect(await auditedIds("webhook.accepted")).toEqual(
        idsOf(storedEvents()),
      );
    });

    it.each([
      { what: "every write fails", when: "1+" },
      { what: "writes fail in the middle of a transaction", when: "4+" },
    ])(
      "heals by itself when the disk is full and $what: 503 until there is room, then the identical retries are accepted",
      async ({ when }) => {
        const service = await start();
        const before = eventBody("evt_before");
        expect((await service.post(before, signed(before))).status).toBe(200);
        const deliveries = ["evt_1", "evt_2", "evt_3"].map((id) => {
          const body = eventBody(id);
          return { body, headers: signed(body) };
        });
        const ready = async (): Promise<number> =>
          (await fetch(`${service.url}/readyz`)).status;

        const full = await attachStrace(service.child.pid!, [
          ...["-e", `${WRITES}:when=${when}`, "-P", `${storeFile()}-wal`],
          ...["-P", storeFile(), "-P", `${storeFile()}-shm`],
        ]);
        for (const { body, headers } of deliveries) {
          const refused = await service.post(body, headers);
          expect(refused.status).toBe(503);
          expect(refused.headers.get("retry-after")).toMatch(/^\d+$/);
          expect(await refused.json()).toMatchObject({ code: "unavailable" });
        }
        await eventually(async () => (await ready()) === 503);
        expect((await fetch(`${service.url}/livez`)).status).toBe(200);
        expect(idsOf(storedEvents())).toEqual(["evt_before"]);
        await full.letGo();

        await eventually(async () => (await ready()) === 200);
        for (const { body, headers } of deliveries) {
          const retried = await service.post(body, headers);
          expect(retried.status).toBe(200);
          expect(await retried.json()).toMatchObject({ status: "accepted" });
        }
        expect(service.child.exitCode).toBeNull();
        expect(await service.stop()).toEqual({ code: 0, signal: null });
        const accepted = ["evt_before", "evt_1", "evt_2", "evt_3"];
        expect(idsOf(storedEvents())).toEqual(accepted);
        expect(await auditedIds("webhook.accepted")).toEqual(accepted);
        const actions = await auditedActions();
        expect(
          actions.filter((action) => action === "store.failed"),
        ).toHaveLength(1);
      },
      30_000,
    );
  },
);

describeUnderStrace(
  `the answer to a delivery${noStrace === null ? "" : ` (skipped, strace cannot be used: ${noStrace})`}`,
  () => {
    it("is written to the socket only after the log that holds the event was written and synced", async () => {
      const file = path.join(folder.path, "trace");
      const calls =
        "fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg,read,recvfrom";
      // -D: the process that was started is the service, and strace is its grandchild.
      const service = await start({}, [
        ...["strace", "-D", "-f", "-y", "-q", "-s", "4096", "-o", file],
        ...["-e", `trace=${calls}`, "-e", "signal=none"],
      ]);
      const body = eventBody("evt_synced");
      expect((await service.post(body, signed(body))).status).toBe(200);
      expect(await service.stop()).toMatchObject({ code: 0 });

      const pid = String(service.child.pid);
      // Every system call of every thread, each line begins with the thread. One that another thread's interrupts has two.
      const lines = (): string[] => readFileSync(file, "utf8").split("\n");
      await eventually(() =>
        lines().some(
          (line) =>
            line.startsWith(`${pid} `) && line.includes("exited with 0"),
        ),
      );
      const trace = lines();
      const asked = trace.findIndex((line) =>
        /^\d+ +(?:read|recvfrom)\(.*POST \/webhooks\/hex/.test(line),
      );
      const answered = trace.findIndex((line) =>
        /^\d+ +(?:write|writev|sendto|sendmsg)\(\d+<socket.*HTTP\/1\.1 200.*evt_synced/.test(
          line,
        ),
      );
      expect(asked).toBeGreaterThan(-1);
      expect(answered).toBeGreaterThan(asked);
      const between = trace.slice(asked, answered);
      const written = between.findLastIndex((line) =>
        /^\d+ +pwrite64\(\d+<[^>]*-wal>.*evt_synced/.test(line),
      );
      expect(written).toBeGreaterThan(-1);
      const writer = /^\d+/.exec(between[written]!)![0];
      const after = between
        .slice(written)
        .filter((line) => line.startsWith(`${writer} `))
        .map((line) => line.slice(writer.length).trimStart());
      const sync = after.findIndex((line) =>
        /^f(?:data)?sync\(\d+<[^>]*-wal>/.test(line),
      );
      expect(sync).toBeGreaterThan(-1);
      // In the line itself, or in the next one when another thread came between.
      expect(`${after[sync]}${after[sync + 1] ?? ""}`).toMatch(
        /sync\(\d+<[^>]*>\)\s*= 0|sync resumed>\)\s*= 0/,
      );
    });
  },
);

/** The memory that a process holds, in MiB. */
function residentMiB(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) / 1024;
}

describe("standard output that nobody reads", () => {
  const WARM_UP = 1000;
  const STUCK = 5000;
  /** What a heap may gain in any case; lines that heap up would take some 110 MiB here. */
  const MAX_GROWTH_MIB = 64;
  const CLOSED = 300;

  /** Attempts fail at once and often, which makes some 30,000 entries, and no young heap blurs what is measured. */
  const WORDY = {
    HANDLERS: "failing.mjs",
    RETRY_SCHEDULE: Array.from({ length: 12 }, () => "50ms").join(","),
    LOG_LEVEL: "fatal",
    NODE_OPTIONS: "--max-semi-space-size=1",
  };

  beforeEach(() => {
    writeFileSync(
      path.join(folder.path, "failing.mjs"),
      'export default { "*": () => { throw new Error("no"); } };\n',
    );
  });

  interface Reader {
    readonly service: Serving;
    /** From now on nobody reads. */
    stall: () => void;
    /** The reading end is gone. */
    leave: () => void;
  }

  /** What Node gives a child for a pipe: a pair of sockets. */
  async function throughSocket(): Promise<Reader> {
    const service = await start(WORDY);
    return {
      service,
      stall: () => service.child.stdout.pause(),
      leave: () => service.child.stdout.destroy(),
    };
  }

  /** What a shell gives: a pipe of the kernel. */
  async function throughPipe(): Promise<Reader> {
    const fifo = path.join(folder.path, "stdout");
    execFileSync("mkfifo", [fifo]);
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    const reader = new Socket({ fd: openSync(fifo, flags), readable: true });
    readers.push(reader);
    reader.resume();
    const service = await start(WORDY, [
      ...["sh", "-c", 'exec "$@" > stdout', "sh"],
    ]);
    return {
      service,
      stall: () => reader.pause(),
      leave: () => reader.destroy(),
    };
  }

  let readers: Socket[] = [];
  afterEach(() => {
    for (const reader of readers) {
      reader.destroy();
    }
    readers = [];
  });

  it.each([
    { kind: "a pair of sockets", open: throughSocket },
    { kind: "a pipe", open: throughPipe },
  ])(
    "delays no answer, grows no memory and ends nothing: $kind",
    async ({ open }) => {
      const { service, stall, leave } = await open();
      let sent = 0;
      const refused: number[] = [];

      /** Ids and types of the longest kind, which make long audit lines. */
      async function send(count: number): Promise<void> {
        const until = sent + count;
        await together(16, async () => {
          if (sent >= until) {
            return false;
          }
          sent += 1;
          const id = `evt_${sent}_`.padEnd(256, "é");
          const body = eventBody(id, "t".padEnd(128, "é"));
          const { status } = await service.post(body, signed(body));
          if (status !== 200) {
            refused.push(status);
          }
          return true;
        });
      }

      await send(WARM_UP);
      stall();
      const memory = residentMiB(service.child.pid!);
      await send(STUCK);
      const grown = residentMiB(service.child.pid!) - memory;
      leave();
      await send(CLOSED);

      expect(refused).toEqual([]);
      expect(grown).toBeLessThan(MAX_GROWTH_MIB);
      expect(service.child.exitCode).toBeNull();
      expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
      expect(await service.stop()).toEqual({ code: 0, signal: null });
      const accepted = await auditedIds("webhook.accepted");
      expect(accepted).toHaveLength(sent);
      expect(accepted.toSorted()).toEqual(idsOf(storedEvents()).toSorted());
    },
  );
});

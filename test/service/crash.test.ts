import { beforeEach, describe, expect, it } from "@jest/globals";
import { realpathSync } from "node:fs";
import path from "node:path";
import { eventually } from "../support/eventually.ts";
import { eventBody, signed } from "../support/fixtures.ts";
import { withSeed } from "../support/seeded-random.ts";
import { expectKillsLoseNothing } from "../support/kill-under-load.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { storeFileIn } from "../support/open-test-store.ts";
import { serve } from "../support/processes.ts";
import { readTrail } from "../support/read-trail.ts";
import { startTestService } from "../support/service.ts";
import { storedEvents, type StoredEvent } from "../support/stored-events.ts";
import {
  attachStrace,
  describeUnderStrace,
  straced,
  traceOf,
  underStrace,
} from "../support/strace.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";
import { inParallel } from "../support/in-parallel.ts";

type Serving = Awaited<ReturnType<typeof serve>>;

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

const storeFile = (): string => storeFileIn(folder.path);

/** `hexhook serve` on the test's store, without handlers. */
const start = (via: readonly string[] = []): Promise<Serving> =>
  serve(folder.path, { HANDLERS: noHandlers(folder.path) }, via);

/** Returns how a process ended. It must end soon without a signal. */
async function endOf({ child, exited }: Serving): ReturnType<Serving["stop"]> {
  await eventually(() => child.exitCode !== null || child.signalCode !== null);
  return exited;
}

const idsOf = (events: readonly StoredEvent[]): string[] =>
  events.map(({ id }) => id);

/** Returns the event ids of the entries of an action, in order. Throws if the trail is not intact. */
async function auditedIds(action: string): Promise<unknown[]> {
  const entries = await readTrail(storeFile());
  return entries
    .filter((entry) => entry.action === action)
    .map(({ metadata }) => metadata["eventId"]);
}

async function auditedActions(): Promise<string[]> {
  return (await readTrail(storeFile())).map(({ action }) => action);
}

describe("a process that is killed at any time", () => {
  it("loses no acknowledged event, forwards each byte for byte, and leaves an intact trail", async () => {
    await withSeed((random) =>
      expectKillsLoseNothing(folder.path, { rounds: 3, random }),
    );
  });
});

describeUnderStrace(underStrace("a disk error"), () => {
  const SYNCS = "inject=fsync,fdatasync:error=EIO";
  const WRITES = "inject=pwrite64,pwritev,write:error=ENOSPC";

  it.each([
    { what: "every sync fails", fault: SYNCS, count: 40 },
    {
      what: "one sync fails and the next succeed",
      fault: `${SYNCS}:when=1`,
      count: 1,
    },
  ])(
    "causes 503 if $what, ends the process with 70, and lets a restart accept identical retries: $count at once",
    async ({ fault, count }) => {
      const first = await start();
      const before = eventBody("evt_before");
      expect((await first.post(before, signed(before))).status).toBe(200);
      const deliveries = Array.from({ length: count }, (_, n) => {
        const body = eventBody(`evt_${n}`);
        return { body, headers: signed(body) };
      });

      await attachStrace(first.child.pid!, ["-e", fault]);
      const answers = await Promise.all(
        deliveries.map(({ body, headers }) =>
          first.post(body, headers).catch(() => null),
        ),
      );

      // A request that had not started when the process ended has no response. All others have 503.
      const answered = answers.filter((answer) => answer !== null);
      expect(answered).not.toEqual([]);
      for (const rejected of answered) {
        expect(rejected.status).toBe(503);
        expect(rejected.headers.get("retry-after")).not.toBeNull();
        expect(await rejected.json()).toMatchObject({ code: "unavailable" });
      }
      expect(await endOf(first)).toEqual({ code: 70, signal: null });

      const second = await startTestService(folder.path);
      for (const [n, { body, headers }] of deliveries.entries()) {
        expect(await second.post(body, headers)).toMatchObject({
          status: 200,
          json: { received: true, status: "accepted", id: `evt_${n}` },
        });
        expect((await second.post(body, headers)).status).toBe(409);
      }
      const ids = ["evt_before", ...deliveries.map((_, n) => `evt_${n}`)];
      expect(idsOf(storedEvents(storeFile()))).toEqual(ids);
      expect(await auditedIds("webhook.accepted")).toEqual(ids);
      expect(await auditedActions()).toContain("store.failed");
    },
  );

  it("during a checkpoint of the log ends the process with 70, and loses no acknowledged event", async () => {
    const first = await start();
    const acknowledged: string[] = [];
    const padding = "x".repeat(600_000);

    // Syncs of the log succeed. Syncs of the database file fail.
    await attachStrace(first.child.pid!, [
      ...["-e", "trace=fsync,fdatasync", "-e", SYNCS],
      ...["-P", realpathSync(storeFile())],
    ]);
    let sent = 0;
    await inParallel(2, async () => {
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
    await startTestService(folder.path);
    expect(idsOf(storedEvents(storeFile()))).toEqual(
      expect.arrayContaining(acknowledged),
    );
    expect(await auditedIds("webhook.accepted")).toEqual(
      idsOf(storedEvents(storeFile())),
    );
  });

  it.each([
    { what: "every write fails", when: "1+" },
    { what: "writes fail in the middle of a transaction", when: "4+" },
  ])(
    "recovers without a restart from a full disk if $what: 503 until there is space, then identical retries are accepted",
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
        const rejected = await service.post(body, headers);
        expect(rejected.status).toBe(503);
        expect(rejected.headers.get("retry-after")).toMatch(/^\d+$/);
        expect(await rejected.json()).toMatchObject({ code: "unavailable" });
      }
      await eventually(async () => (await ready()) === 503);
      expect((await fetch(`${service.url}/livez`)).status).toBe(200);
      expect(idsOf(storedEvents(storeFile()))).toEqual(["evt_before"]);
      await full.detach();

      await eventually(async () => (await ready()) === 200);
      for (const { body, headers } of deliveries) {
        const retried = await service.post(body, headers);
        expect(retried.status).toBe(200);
        expect(await retried.json()).toMatchObject({ status: "accepted" });
      }
      expect(service.child.exitCode).toBeNull();
      expect(await service.stop()).toEqual({ code: 0, signal: null });
      const accepted = ["evt_before", "evt_1", "evt_2", "evt_3"];
      expect(idsOf(storedEvents(storeFile()))).toEqual(accepted);
      expect(await auditedIds("webhook.accepted")).toEqual(accepted);
      const actions = await auditedActions();
      expect(
        actions.filter((action) => action === "store.failed"),
      ).toHaveLength(1);
    },
  );
});

describeUnderStrace(underStrace("the response to a webhook"), () => {
  const CALLS = [
    "fsync",
    "fdatasync",
    "pwrite64",
    "write",
    "writev",
    "sendto",
    "sendmsg",
    "read",
    "recvfrom",
  ];

  it("is written to the socket only after the log with the event was written and synced", async () => {
    const file = path.join(folder.path, "trace");
    const service = await start(straced(file, CALLS));
    const body = eventBody("evt_synced");
    expect((await service.post(body, signed(body))).status).toBe(200);
    expect(await service.stop()).toMatchObject({ code: 0 });

    const trace = await traceOf(file, service.child.pid!);
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
    // The result is in the line itself, or in a later one if another thread's call came between.
    expect(`${after[sync]}${after[sync + 1] ?? ""}`).toMatch(
      /sync\(\d+<[^>]*>\)\s*= 0|sync resumed>\)\s*= 0/,
    );
  });
});

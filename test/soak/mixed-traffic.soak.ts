import { beforeEach, expect, it } from "@jest/globals";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import {
  createMixedTraffic,
  eventId,
  type TrafficRequest,
} from "../support/mixed-traffic.ts";
import { expectHealthy, startObserved } from "../support/observed-service.ts";
import {
  createPacedSender,
  type PacedSender,
} from "../support/paced-sender.ts";
import { ATTACKS, runAttack } from "../support/run-attacks.ts";
import { openFile, readColumn } from "../support/store-file.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

// eslint-disable-next-line no-restricted-properties -- allows a shorter run to try the test itself
const MINUTES = Number(process.env["SOAK_MINUTES"] ?? 30);
const HOUR_MS = 3_600_000;
const CONNECTIONS = 64;
const PEAK_MS = 15_000;
const TICK_MS = 5;
/** The codes that a hostile request may get: those of its kind, or the rate limiter's. */
const REJECTED = new Set([400, 401, 409, 415, 429]);

/** The measurements of one round of all attacks. */
interface Round {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  readonly rssMb: number;
  readonly descriptors: number;
}

/** Prints each round when it ends, because the run is long. */
function report(facts: object): void {
  process.stderr.write(`${JSON.stringify(facts)}\n`);
}

let folder: ReturnType<typeof temporaryFolder>;

beforeEach(() => {
  folder = temporaryFolder();
});

/** Returns the genuine deliveries a second when each connection sends the next as soon as it has its response. */
async function measurePeak(
  sender: PacedSender,
  traffic: ReturnType<typeof createMixedTraffic>,
  onStatus: (request: TrafficRequest, status: number | null) => void,
): Promise<number> {
  const began = performance.now();
  let answered = 0;
  const send = async (): Promise<void> => {
    while (performance.now() - began < PEAK_MS) {
      const request = traffic.next();
      onStatus(request, (await sender.send(request.bytes)).status);
      answered += 1;
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, send));
  return answered / ((performance.now() - began) / 1000);
}

const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.floor((sorted.length - 1) * q)] ?? NaN;

const median = (values: readonly number[]): number =>
  quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  );

it(
  `${MINUTES} minutes of genuine and hostile traffic keep memory, descriptors and latency constant, and lose nothing`,
  async () => {
    writeFileSync(
      path.join(folder.path, "handlers.mjs"),
      'export default { "*": async () => {} };\n',
    );
    const service = await startObserved(folder.path, {
      HANDLERS: "handlers.mjs",
      AUDIT_ANCHOR_FILE: "anchors",
    });
    const { pid } = service.child;
    const rssMb = (): number =>
      Number(
        /VmRSS:\s+(\d+) kB/.exec(
          readFileSync(`/proc/${pid}/status`, "utf8"),
        )?.[1],
      ) / 1024;
    const descriptors = (): number => readdirSync(`/proc/${pid}/fd`).length;

    // The attackers use up the connections of their address, so the sender has another address.
    const sender = createPacedSender({
      port: service.port,
      connections: CONNECTIONS,
      localAddress: "127.0.0.2",
    });
    const traffic = createMixedTraffic();
    const wrong: string[] = [];
    const onStatus = (request: TrafficRequest, status: number | null): void => {
      const { event } = request;
      if (event === null ? !REJECTED.has(status ?? 0) : status !== 200) {
        wrong.push(`${event ?? "hostile"}: ${status}`);
      }
      if (status === 200) {
        traffic.accepted(request);
      }
    };

    const before = descriptors();
    const peak = await measurePeak(sender, traffic, onStatus);
    const perSecond = peak / 2;
    report({ perSecond });

    const rounds: Round[] = [];
    let latencies: number[] = [];
    let isOver = false;
    const inFlight = new Set<Promise<void>>();
    const pace = async (): Promise<void> => {
      const began = performance.now();
      let count = 0;
      while (!isOver) {
        const due = ((performance.now() - began) / 1000) * perSecond;
        for (; count < due; count += 1) {
          const request = traffic.next();
          const sent = sender
            .send(request.bytes, began + (count / perSecond) * 1000)
            .then(({ status, ms }) => {
              onStatus(request, status);
              if (request.event !== null) {
                latencies.push(ms);
              }
              inFlight.delete(sent);
            });
          inFlight.add(sent);
        }
        await delay(TICK_MS);
      }
      await Promise.all(inFlight);
    };
    const pacing = pace();

    const endAt = performance.now() + MINUTES * 60_000;
    while (performance.now() < endAt) {
      const memory: number[] = [];
      const files: number[] = [];
      for (const name of ATTACKS) {
        const attack = runAttack(name, service);
        const sampling = setInterval(() => {
          memory.push(rssMb());
          files.push(descriptors());
        }, 1000);
        expect(await attack).toBe(0);
        clearInterval(sampling);
      }
      const sorted = latencies.sort((a, b) => a - b);
      latencies = [];
      const round = {
        p50: quantile(sorted, 0.5),
        p99: quantile(sorted, 0.99),
        max: quantile(sorted, 1),
        rssMb: median(memory),
        descriptors: median(files),
      };
      rounds.push(round);
      report(round);
    }
    isOver = true;
    await pacing;
    sender.close();

    expect(wrong).toEqual([]);
    const third = Math.max(1, Math.floor(rounds.length / 3));
    const early = rounds.slice(0, third);
    const late = rounds.slice(-third);
    const growth = (key: keyof Round): number =>
      median(late.map((round) => round[key])) /
      median(early.map((round) => round[key]));
    expect(growth("rssMb")).toBeLessThan(1.15);
    expect(growth("descriptors")).toBeLessThan(1.15);
    expect(growth("p99")).toBeLessThan(1.5);
    await eventually(() => descriptors() <= before, HOUR_MS);

    const file = path.join(folder.path, "hexhook.db");
    await eventually(
      () =>
        readColumn(
          file,
          "SELECT 1 FROM delivery WHERE state <> 'succeeded' LIMIT 1",
        ).length === 0,
      HOUR_MS,
    );
    await expectHealthy(folder.path, service, ["--anchors", "anchors"]);
    const db = openFile(file, { readOnly: true });
    const stored = db.prepare<[string], object>(
      "SELECT 1 FROM event WHERE source = 'hex' AND id = ?",
    );
    const lost = Array.from({ length: traffic.events() }, (_, n) => n).filter(
      (n) => stored.get(eventId(n)) === undefined,
    );
    db.close();
    expect(lost).toEqual([]);
  },
  4 * HOUR_MS,
);

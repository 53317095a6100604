import { expect, it } from "@jest/globals";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { serve } from "../support/processes.ts";
import { recordEvents } from "../support/record-events.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const HOUR_MS = 3_600_000;
const COUNT = 10_000;
const MAX_RSS_KIB = 250_000;

it(
  "10,000 events at once reach a destination of concurrency 8 in little memory",
  async () => {
    const folder = temporaryFolder();
    const target = await startDestination(reply(204));
    await recordEvents(folder.path, COUNT, "target");
    writeFileSync(
      path.join(folder.path, "hexhook.yaml"),
      `destinations: { target: { url: "${target.url}", concurrency: 8 } }`,
    );
    const running = await serve(folder.path, {
      HEXHOOK_CONFIG: "hexhook.yaml",
      AUDIT_STDOUT: "off",
    });
    await eventually(() => target.attempts.length === COUNT, HOUR_MS);
    expect(target.seen().most).toBeLessThanOrEqual(8);
    expect(target.seen().connections).toBeLessThanOrEqual(16);
    expect(new Set(target.ids()).size).toBe(COUNT);
    const status = readFileSync(`/proc/${running.child.pid!}/status`, "utf8");
    const highWaterKib = Number(/VmHWM:\s+(\d+) kB/.exec(status)?.[1]);
    expect(highWaterKib).toBeLessThan(MAX_RSS_KIB);
    await running.stop();
  },
  HOUR_MS,
);

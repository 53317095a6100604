import { expect } from "@jest/globals";
import { readFileSync } from "node:fs";
import path from "node:path";
import { eventBody, signed } from "./fixtures.ts";
import { startHexApi } from "./hex-api.ts";
import { hexhook } from "./hexhook.ts";
import type { Rounds } from "./kill-rounds.ts";
import { between } from "./seeded-random.ts";
import { storeFileIn } from "./open-test-store.ts";
import { serve } from "./processes.ts";
import { readTrail } from "./read-trail.ts";
import { readColumn } from "./store-file.ts";
import { storedEvents } from "./stored-events.ts";

const SENDERS = 8;

/**
 * Kills a service with all sinks under load in each round. Each event must have an entry, each entry must have an event, and
 * every sink must have all entries.
 */
export async function expectKillsMissNoSink(
  folder: string,
  { rounds, random }: Rounds,
): Promise<void> {
  const file = storeFileIn(folder);
  const api = await startHexApi();
  const env = {
    AUDIT_FILE: "audit.log",
    HEX_API_URL: api.url,
    HEX_WRITE_KEY: "write-key-0123456789abcdef",
  };
  const sizes = Array.from({ length: rounds }, () => between(random, 5, 150));
  const outputs: string[] = [];
  let sent = 0;
  for (const size of sizes) {
    const server = await serve(folder, env);
    const last = sent + size;
    const send = async (): Promise<void> => {
      for (;;) {
        const body = eventBody(`evt_${(sent += 1)}`);
        if (sent >= last) {
          server.child.kill("SIGKILL");
        }
        try {
          await server.post(body, signed(body));
        } catch {
          return;
        }
      }
    };
    await Promise.all(Array.from({ length: SENDERS }, send));
    await server.exited;
    outputs.push(server.stdout());
  }
  const last = await serve(folder, env);
  await last.stop();
  outputs.push(last.stdout());

  const accepted = (await readTrail(file))
    .filter(({ action }) => action === "webhook.accepted")
    .map(({ metadata }) => metadata["eventId"]);
  expect(accepted.length).toBeGreaterThan(rounds);
  expect(accepted).toEqual(storedEvents(file).map(({ id }) => id));

  const stored = readColumn(
    file,
    "SELECT line FROM audit_entry ORDER BY position",
  ) as string[];
  const inFile = readFileSync(path.join(folder, "audit.log"), "utf8");
  expect(inFile).toBe(stored.map((line) => `${line}\n`).join(""));
  expect(api.entries).toEqual(stored.map((line): unknown => JSON.parse(line)));
  expect(api.conflicts).toEqual([]);
  // stdout may have duplicate and incomplete lines, which its verifier accepts, but no entry is missing.
  const printed = outputs.join("");
  const verdict = await hexhook(["audit", "verify", "--json", "-"], {
    cwd: folder,
    input: printed,
  });
  expect(JSON.parse(verdict.stdout)).toMatchObject({ verdict: "intact" });
  expect(verdict.code).toBe(0);
  expect(stored.filter((line) => !printed.includes(line))).toEqual([]);
}

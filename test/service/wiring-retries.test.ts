import { describe, expect, it } from "@jest/globals";
import type { ParsedEntry } from "../../src/audit/parsed-entry.ts";
import { hang, reply, startDestination } from "../support/destinations.ts";
import { eventually } from "../support/eventually.ts";
import { eventBody } from "../support/fixtures.ts";
import { noHandlers } from "../support/no-handlers.ts";
import { startTestService } from "../support/service.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

/** Starts a service with these settings, sends an event, and returns the entry of the first failed attempt. */
async function firstFailure(
  url: string,
  env: Record<string, string>,
): Promise<ParsedEntry> {
  const folder = temporaryFolder().path;
  const service = await startTestService(folder, {
    env: { HANDLERS: noHandlers(folder), FORWARD_URL: url, ...env },
  });
  expect((await service.post(eventBody("evt_1"))).status).toBe(200);
  return eventually(async () =>
    (await service.entries()).find(
      ({ action }) => action === "delivery.failed",
    ),
  );
}

/** Returns the time from the end of an attempt to the next one, in milliseconds. */
function waitIn({ timestamp, metadata }: ParsedEntry): number {
  return Date.parse(String(metadata["nextAttemptAt"])) - Date.parse(timestamp);
}

describe("a failed attempt", () => {
  it("is retried after 5 s ± 20 %, or after the wait of RETRY_SCHEDULE", async () => {
    const { url } = await startDestination(reply(500));
    const byDefault = waitIn(await firstFailure(url, {}));
    expect(byDefault).toBeGreaterThanOrEqual(4000);
    expect(byDefault).toBeLessThanOrEqual(6000);
    const asSet = waitIn(await firstFailure(url, { RETRY_SCHEDULE: "10m" }));
    expect(asSet).toBeGreaterThanOrEqual(480_000);
    expect(asSet).toBeLessThanOrEqual(720_000);
  });

  it("is recorded when there is no response within ATTEMPT_TIMEOUT", async () => {
    const { url } = await startDestination(hang);
    const entry = await firstFailure(url, { ATTEMPT_TIMEOUT: "20ms" });
    expect(entry.metadata).toMatchObject({ reason: "timeout" });
  });
});
